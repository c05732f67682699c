// Generated, do not edit. To generate it again:
//   python -m firmware_export model.tflite --out firmware
// keras_satkd 1.2.3, from a model of 840 bytes with
//   SHA-256 9173aef6e59c686e89ecd980da7478dc8e15f45d26bd763669f85ba361af1c20
//   CRC-32  0x1c8ecd5a
//
// 4 real images, as pixels from the camera, and the outputs of TensorFlow Lite Micro's reference
//   kernels on the host. The largest outputs are at index 0, 2, 1, 0.
// If firmware computes other bytes, the model is damaged, other code writes to the arena, or the
//   kernels compute differently. The vectors take 204 bytes of flash, or none if nothing refers to
//   them (link with -Wl,--gc-sections).
//
//   using namespace student_model;
//   for (int v = 0; v < kGoldenVectorCount; ++v) {
//     for (int i = 0; i < kGoldenInputBytes; ++i) {
//       input->data.int8[i] = static_cast<int8_t>(kGoldenInputs[v][i] ^ 0x80);
//     }
//     if (interpreter.Invoke() != kTfLiteOk) return false;
//     if (memcmp(output->data.int8, kGoldenOutputs[v], kGoldenOutputBytes) != 0) return false;
//   }
//
// SHA-256 of all inputs followed by all outputs:
//   03bfa94e67d79e8f287603740d4c3a06d24a65624bba987e624c07ec045fdbc2

#ifndef STUDENT_MODEL_GOLDEN_VECTORS_H_
#define STUDENT_MODEL_GOLDEN_VECTORS_H_

#include <stddef.h>
#include <stdint.h>

namespace student_model {

inline constexpr int kGoldenVectorCount = 4;
inline constexpr int kGoldenInputBytes = 48;
inline constexpr int kGoldenOutputBytes = 3;

// zlib's CRC-32 of all inputs followed by all outputs.
inline constexpr uint32_t kGoldenCrc32 = 0xe1905894u;

extern const uint8_t kGoldenInputs[kGoldenVectorCount][kGoldenInputBytes];
extern const int8_t kGoldenOutputs[kGoldenVectorCount][kGoldenOutputBytes];

}  // namespace student_model

#endif  // STUDENT_MODEL_GOLDEN_VECTORS_H_
