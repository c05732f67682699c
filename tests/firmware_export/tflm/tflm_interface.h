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
  int registered_int8 = 0;
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

// tensorflow/lite/micro/micro_common.h and kernels/add.h, conv.h, …; as in a version without the last two functions, or in
// one with them all.
struct TFLMRegistration {
  bool is_int8;
};
inline TFLMRegistration Register_ADD() { return {false}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D() { return {false}; }
inline TFLMRegistration Register_CONV_2D() { return {false}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D() { return {false}; }
inline TFLMRegistration Register_FULLY_CONNECTED() { return {false}; }
inline TFLMRegistration Register_SOFTMAX() { return {false}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D_INT8() { return {true}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D_INT8() { return {true}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {true}; }
inline TFLMRegistration Register_SOFTMAX_INT8() { return {true}; }
#ifndef WITHOUT_INT8_REGISTRATIONS
inline TFLMRegistration Register_ADD_INT8() { return {true}; }
inline TFLMRegistration Register_CONV_2D_INT8() { return {true}; }
#endif

// A warning, as in TFLM's own headers: whoever includes this must not fail under -Wextra -Werror.
inline int Unused(int parameter) { return 0; }

// tensorflow/lite/micro/micro_mutable_op_resolver.h
class MicroOpResolver {
 public:
  virtual ~MicroOpResolver() {}
};
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  static void operator delete(void*) {}
  TfLiteStatus AddAdd(const TFLMRegistration& registration = Register_ADD()) { return Add(registration); }
  TfLiteStatus AddAveragePool2D(const TFLMRegistration& registration = Register_AVERAGE_POOL_2D()) {
    return Add(registration);
  }
  TfLiteStatus AddConv2D(const TFLMRegistration& registration = Register_CONV_2D()) { return Add(registration); }
  TfLiteStatus AddDepthwiseConv2D(const TFLMRegistration& registration = Register_DEPTHWISE_CONV_2D()) {
    return Add(registration);
  }
  TfLiteStatus AddFullyConnected(const TFLMRegistration& registration = Register_FULLY_CONNECTED()) {
    return Add(registration);
  }
  TfLiteStatus AddMean() { return Add({false}); }
  TfLiteStatus AddSoftmax(const TFLMRegistration& registration = Register_SOFTMAX()) { return Add(registration); }

 private:
  TfLiteStatus Add(const TFLMRegistration& registration) {
    if (added_ == static_cast<int>(tOpCount) || added_ >= behaviour.operators_that_fit) return kTfLiteError;
    ++behaviour.registered;
    behaviour.registered_int8 += registration.is_int8;
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
