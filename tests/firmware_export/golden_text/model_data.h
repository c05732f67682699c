// Generated, do not edit. To generate it again:
//   python -m firmware_export model.tflite --out firmware
// keras_satkd 1.2.3, from a model of 840 bytes with
//   SHA-256 9173aef6e59c686e89ecd980da7478dc8e15f45d26bd763669f85ba361af1c20
//   CRC-32  0x1c8ecd5a
//
// Input: int8 [1, 4, 4, 3], pixel / 255 with scale 1/255 and zero point -128: feed
//   input->data.int8[i] = static_cast<int8_t>(pixel[i] ^ 0x80);
// Output: int8 [1, 1, 1, 3], value = kOutputScale * (code - kOutputZeroPoint).
// Operators: CONV_2D x1.
// Arena: TensorFlow Lite Micro's reference kernels need 4096 bytes on a 64-bit host, found by
//   bisection (16 bytes less fails). This includes memory that kernels allocate only while they are
//   prepared. 32-bit pointers need slightly less (201796 instead of 203396 bytes for a ResNet8);
//   optimized kernels such as CMSIS-NN need additional scratch memory, for which kArenaBytes adds
//   256 bytes: CMSIS-NN's largest scratch buffer, four bytes for each output of dense layers, and
//   64 bytes for each operator.
// Verified on 256 images: TensorFlow Lite Micro and TFLite's reference kernels agree bit for bit in
//   all 1 tensors (768 values).

#ifndef STUDENT_MODEL_MODEL_DATA_H_
#define STUDENT_MODEL_MODEL_DATA_H_

#include <stddef.h>
#include <stdint.h>

extern const unsigned char g_student_model_data[];
extern const unsigned int g_student_model_data_size;

namespace student_model {

inline constexpr unsigned int kModelBytes = 840;
inline constexpr uint32_t kModelCrc32 = 0x1c8ecd5a;  // zlib's CRC-32, as in Ethernet and PNG
inline constexpr char kModelSha256[] = "9173aef6e59c686e89ecd980da7478dc8e15f45d26bd763669f85ba361af1c20";

inline constexpr size_t kArenaBytes = 4352;

inline constexpr int kInputShape[] = {1, 4, 4, 3};
inline constexpr float kInputScale = 0.00392156886f;
inline constexpr int kInputZeroPoint = -128;

inline constexpr int kOutputShape[] = {1, 1, 1, 3};
inline constexpr float kOutputScale = 0.125f;
inline constexpr int kOutputZeroPoint = 3;

inline constexpr int kClassCount = 3;
inline constexpr const char* kClassNames[] = {
    "land",
    "water",
    "cloud",
};

}  // namespace student_model

#endif  // STUDENT_MODEL_MODEL_DATA_H_
