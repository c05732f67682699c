// Generated, do not edit. To generate it again:
//   python -m firmware_export model.tflite --out firmware
// keras_satkd 1.2.3, from a model of 840 bytes with
//   SHA-256 9173aef6e59c686e89ecd980da7478dc8e15f45d26bd763669f85ba361af1c20
//   CRC-32  0x1c8ecd5a

#ifndef STUDENT_MODEL_MODEL_OPS_H_
#define STUDENT_MODEL_MODEL_OPS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

// Registrations that link kernels for int8 alone: with CMSIS-NN they save the code for int16 and int4. The outputs are
// the same. A TensorFlow Lite Micro without one of these functions gets the registration for all types from here: a
// compiler prefers a function that is no template.
namespace all_types_of_student_model {
template <int kUnused = 0>
auto Register_CONV_2D_INT8() {
  return tflite::Register_CONV_2D();
}
}  // namespace all_types_of_student_model

namespace student_model {

// Exactly the model's operators, so that no other operator is linked.
using OpResolver = tflite::MicroMutableOpResolver<1>;

// Call it once, before the interpreter is constructed. Returns kTfLiteOk, or the status of the operator that failed.
[[nodiscard]] inline TfLiteStatus RegisterOps(OpResolver& resolver) {
  using namespace tflite;
  using namespace all_types_of_student_model;
  TfLiteStatus status = kTfLiteOk;
  status = resolver.AddConv2D(Register_CONV_2D_INT8());
  if (status != kTfLiteOk) return status;
  return status;
}

}  // namespace student_model

#endif  // STUDENT_MODEL_MODEL_OPS_H_
