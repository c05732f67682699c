// Generated, do not edit. To generate it again:
//   python -m firmware_export model.tflite --out firmware
// keras_satkd 1.2.3, from a model of 840 bytes with
//   SHA-256 9173aef6e59c686e89ecd980da7478dc8e15f45d26bd763669f85ba361af1c20
//   CRC-32  0x1c8ecd5a

#include "classifier.h"

#include <new>

#include "golden_vectors.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace student_model {

static_assert(kGoldenInputBytes == kInputBytes && kGoldenOutputBytes == kOutputs, "files from two exports are mixed");

ClassifierStatus Classifier::Init(uint8_t* arena, size_t arena_bytes, void (*kick_watchdog)(), const uint8_t* model) {
  Reset();
  const ClassifierStatus status = Prepare(arena, arena_bytes, kick_watchdog, model);
  if (status != ClassifierStatus::kOk) Reset();
  return status;
}

ClassifierStatus Classifier::Prepare(uint8_t* arena, size_t arena_bytes, void (*kick_watchdog)(),
                                     const uint8_t* model) {
#ifdef TF_LITE_STRIP_ERROR_STRINGS
  if (kick_watchdog != nullptr) return ClassifierStatus::kNoProfiler;
#endif
  if (arena == nullptr || model == nullptr) return ClassifierStatus::kNullPointer;
  if (reinterpret_cast<uintptr_t>(arena) % 16 != 0) return ClassifierStatus::kArenaMisaligned;
  if (arena_bytes < kArenaBytes) return ClassifierStatus::kArenaTooSmall;
  model_status_ = VerifyModel(model, g_student_model_data_size);
  if (model_status_ != Status::kOk) return ClassifierStatus::kBadModel;
  OpResolver* resolver = new (resolver_) OpResolver;
  if (RegisterOps(*resolver) != kTfLiteOk) return ClassifierStatus::kOperatorMissing;

  Watchdog* watchdog = new (watchdog_) Watchdog(kick_watchdog);
  interpreter_ = new (storage_)
      tflite::MicroInterpreter(tflite::GetModel(model), *resolver, arena, arena_bytes, nullptr, watchdog);
  if (interpreter_->AllocateTensors() != kTfLiteOk) return ClassifierStatus::kAllocationFailed;
  const TfLiteTensor* input = interpreter_->input(0);
  const TfLiteTensor* output = interpreter_->output(0);
  if (input == nullptr || output == nullptr || input->type != kTfLiteInt8 || output->type != kTfLiteInt8 ||
      input->bytes != kInputBytes || output->bytes != static_cast<size_t>(kOutputs)) {
    return ClassifierStatus::kUnexpectedTensors;
  }
  input_ = interpreter_->input(0)->data.int8;
  outputs_ = interpreter_->output(0)->data.int8;
  scrubber_ = Scrubber(model);
  return ClassifierStatus::kOk;
}

Classification Classifier::Classify(const uint8_t* pixels) {
  if (input_ == nullptr) return {ClassifierStatus::kNotInitialized, -1, -1};
  if (pixels == nullptr) return {ClassifierStatus::kNullPointer, -1, -1};
  // With this input's scale and zero point, quantizing a pixel means flipping its highest bit.
  for (size_t i = 0; i < kInputBytes; ++i) input_[i] = static_cast<int8_t>(pixels[i] ^ 0x80);
  const ClassifierStatus status = Run();
  if (status != ClassifierStatus::kOk) return {status, -1, -1};

  int best = 0;
  for (int i = 1; i < kOutputs; ++i) {
    if (outputs_[i] > outputs_[best]) best = i;
  }
  int margin = 255;
  for (int i = 0; i < kOutputs; ++i) {
    if (i != best && outputs_[best] - outputs_[i] < margin) margin = outputs_[best] - outputs_[i];
  }
  return {margin < kLeastMargin ? ClassifierStatus::kUnsure : ClassifierStatus::kOk, static_cast<int16_t>(best),
          static_cast<int16_t>(margin)};
}

ClassifierStatus Classifier::SelfTest() {
  if (input_ == nullptr) return ClassifierStatus::kNotInitialized;
  for (int vector = 0; vector < kGoldenVectorCount; ++vector) {
    const ClassifierStatus status = Classify(kGoldenInputs[vector]).status;
    if (status != ClassifierStatus::kOk && status != ClassifierStatus::kUnsure) return status;
    for (int i = 0; i < kOutputs; ++i) {
      if (outputs_[i] != kGoldenOutputs[vector][i]) return ClassifierStatus::kSelfTestFailed;
    }
  }
  return ClassifierStatus::kOk;
}

Verdict Classifier::ScrubStep(size_t bytes) {
  return input_ == nullptr ? Verdict::kCorrupt : scrubber_.ScrubStep(bytes);
}

ClassifierStatus Classifier::Run() {
  return interpreter_->Invoke() == kTfLiteOk ? ClassifierStatus::kOk : ClassifierStatus::kInvokeFailed;
}

// The interpreter owns no memory outside the arena and itself. Its destructor is not called, because it would follow
// pointers in the arena, which may be damaged.
void Classifier::Reset() {
  interpreter_ = nullptr;
  input_ = nullptr;
  outputs_ = nullptr;
}

}  // namespace student_model
