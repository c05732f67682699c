// What the generated classifier uses of TensorFlow Lite Micro, and nothing else. Every name and signature is that of
// TFLM's public headers; what stands behind them here is a network that a test supplies, and failures on demand.
#pragma once

#include <cstddef>
#include <cstdint>

// tensorflow/lite/core/c/common.h, c_api_types.h
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };
union TfLitePtrUnion {
  std::int8_t* int8;
};
struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  std::size_t bytes;
};

namespace tflite {

// What a test decides.
struct Behaviour {
  int operators_that_fit = 99;
  bool allocates = true;
  bool invokes = true;
  TfLiteType type = kTfLiteInt8;
  std::size_t input_bytes = 0;
  std::size_t output_bytes = 0;
  void (*network)(const std::int8_t* input, std::int8_t* output) = nullptr;
  int interpreters_made = 0;
  int interpreters_destroyed = 0;
  int registered = 0;
};
inline Behaviour behaviour;

// tensorflow/lite/schema/schema_generated.h
struct Model {};
inline const Model* GetModel(const void* buffer) { return static_cast<const Model*>(buffer); }

// tensorflow/lite/micro/micro_profiler_interface.h
class MicroProfilerInterface {
 public:
  virtual ~MicroProfilerInterface() {}
  virtual std::uint32_t BeginEvent(const char* tag) = 0;
  virtual void EndEvent(std::uint32_t event_handle) = 0;
};

// tensorflow/lite/micro/micro_mutable_op_resolver.h
class MicroOpResolver {};
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddAdd() { return Add(); }
  TfLiteStatus AddAveragePool2D() { return Add(); }
  TfLiteStatus AddConv2D() { return Add(); }
  TfLiteStatus AddDepthwiseConv2D() { return Add(); }
  TfLiteStatus AddFullyConnected() { return Add(); }
  TfLiteStatus AddMean() { return Add(); }
  TfLiteStatus AddSoftmax() { return Add(); }

 private:
  TfLiteStatus Add() {
    if (added_ == static_cast<int>(tOpCount) || added_ >= behaviour.operators_that_fit) return kTfLiteError;
    ++behaviour.registered;
    ++added_;
    return kTfLiteOk;
  }
  int added_ = 0;
};

// tensorflow/lite/micro/micro_interpreter.h
class MicroResourceVariables;
class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver&, std::uint8_t* tensor_arena, std::size_t,
                   MicroResourceVariables* = nullptr, MicroProfilerInterface* profiler = nullptr, bool = false)
      : model_(model), arena_(tensor_arena), profiler_(profiler) {
    ++behaviour.interpreters_made;
  }
  ~MicroInterpreter() { ++behaviour.interpreters_destroyed; }
  TfLiteStatus AllocateTensors() {
    input_ = {behaviour.type, {reinterpret_cast<std::int8_t*>(arena_)}, behaviour.input_bytes};
    output_ = {behaviour.type, {input_.data.int8 + behaviour.input_bytes}, behaviour.output_bytes};
    return behaviour.allocates && model_ != nullptr ? kTfLiteOk : kTfLiteError;
  }
  TfLiteStatus Invoke() {
    const std::uint32_t event = profiler_->BeginEvent("CONV_2D");
    if (behaviour.invokes) behaviour.network(input_.data.int8, output_.data.int8);
    profiler_->EndEvent(event);
    return behaviour.invokes ? kTfLiteOk : kTfLiteError;
  }
  TfLiteTensor* input(std::size_t index) { return index == 0 ? &input_ : nullptr; }
  TfLiteTensor* output(std::size_t index) { return index == 0 ? &output_ : nullptr; }

 private:
  const Model* model_;
  std::uint8_t* arena_;
  MicroProfilerInterface* profiler_;
  TfLiteTensor input_ = {};
  TfLiteTensor output_ = {};
};

}  // namespace tflite
