{% include "provenance.txt" %}
//
// Classifies an image as one of the classes or as "unsure". Every error has a status.
//
//   alignas(16) static uint8_t arena[{{ namespace }}::kArenaBytes];
//   static {{ namespace }}::Classifier classifier;
//
//   if (classifier.Init(arena, sizeof arena, KickWatchdog) != {{ namespace }}::ClassifierStatus::kOk) { /* safe mode */ }
//   if (classifier.SelfTest() != {{ namespace }}::ClassifierStatus::kOk) { /* safe mode */ }
//   const {{ namespace }}::Classification seen = classifier.Classify(pixels);
//   if (seen.status == {{ namespace }}::ClassifierStatus::kOk) Downlink(seen.class_index);
//
// No heap, exceptions, RTTI or floating point, and no constructor that runs before main: a static object is valid at
// once. Not reentrant: only one task at a time may use an object. Requires TensorFlow Lite Micro, which is fast enough
// only with -DNDEBUG: make BUILD_TYPE=release_with_logs.
//
{% for paragraph in classifier_paragraphs %}
{{ paragraph }}
{% endfor %}

#ifndef {{ guard }}
#define {{ guard }}

#include <stddef.h>
#include <stdint.h>

#include "integrity.h"
#include "model_data.h"
#include "model_ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"

namespace {{ namespace }} {

inline constexpr size_t kInputBytes = {{ input_bytes }};
inline constexpr int kOutputs = {{ outputs }};

// The result is kOk if the highest output exceeds the second by at least this many codes, otherwise kUnsure. With 0 it
// is never kUnsure.
inline constexpr int kLeastMargin = {{ least_margin }};

// The values will not change, so that telemetry can contain them.
enum class ClassifierStatus : uint8_t {
  kOk = 0,
  kUnsure = 1,              // not an error: the margin is below kLeastMargin
  kNotInitialized = 2,      // Init was not called, or did not return kOk
  kNullPointer = 3,         // an argument is null
  kBadModel = 4,            // the model is invalid; model_status() gives the reason
  kArenaMisaligned = 5,     // the arena's address is not a multiple of 16
  kArenaTooSmall = 6,       // the arena is smaller than kArenaBytes
  kOperatorMissing = 7,     // an operator could not be registered
  kAllocationFailed = 8,    // TensorFlow Lite Micro's AllocateTensors failed
  kUnexpectedTensors = 9,   // input or output is not int8 of the exported size
  kInvokeFailed = 10,       // an operator returned an error
  kSelfTestFailed = 11,     // the outputs for a golden vector differ from those on the host
  kNoProfiler = 12,         // TensorFlow Lite Micro with TF_LITE_STRIP_ERROR_STRINGS cannot kick the watchdog
};

struct Classification {
  ClassifierStatus status;
  int16_t class_index;  // 0 to kOutputs - 1; set for kOk and kUnsure, otherwise -1
  int16_t margin;       // highest minus second output, 0 to 255 codes; otherwise -1
};

class Classifier {
 public:
  // Checks the model before the interpreter uses it, and allocates the tensors in the arena. May be called again at any
  // time, even if the arena is damaged.
  //   arena: at least kArenaBytes bytes, aligned to 16. No other code may use it during the classifier's lifetime.
  //   arena_bytes: size of the arena.
  //   kick_watchdog: called before every operator; may be null. The slowest operator must finish between two kicks.
  //   It is called through TensorFlow Lite Micro's profiler, which builds with TF_LITE_STRIP_ERROR_STRINGS lack: make
  //   BUILD_TYPE=release lacks it, BUILD_TYPE=release_with_logs has it.
  //   model: the array, or a copy of it that is aligned to 16 and outlives the classifier.
  [[nodiscard]] ClassifierStatus Init(uint8_t* arena, size_t arena_bytes, void (*kick_watchdog)() = nullptr,
                                      const uint8_t* model = {{ symbol }});

  // Runs the model once.
{% if has_unit_input %}
  //   pixels: kInputBytes bytes, {{ input.shape[1:] | join(" x ") }}, {{ "rows of RGB pixels" if input.shape[-1] == 3 and not scaling_file else "each from 0 to 255" }}.
{% if scaling_file %}
  //   {{ scaling_file }} makes them from the sensor's raw samples.
{% endif %}
  [[nodiscard]] Classification Classify(const uint8_t* pixels);
{% else %}
  //   codes: kInputBytes bytes, round(value / kInputScale) + kInputZeroPoint.
  [[nodiscard]] Classification Classify(const int8_t* codes);
{% endif %}

  // Runs the golden vectors. Returns kOk, or the status of the first failure. Checks the kernels, the arena and the build.
  // It is no integrity check: a damaged model may give the same outputs for these images. Init and ScrubStep check every
  // bit.
  [[nodiscard]] ClassifierStatus SelfTest();

  // Checks the CRC of the next `bytes` bytes of the model, see Scrubber. Returns kCorrupt if Init has not succeeded.
  [[nodiscard]] Verdict ScrubStep(size_t bytes);

  // The kOutputs int8 outputs of the last Classify or SelfTest; null if Init has not succeeded.
  [[nodiscard]] const int8_t* outputs() const { return outputs_; }

  // The reason for kBadModel from Init.
  [[nodiscard]] Status model_status() const { return model_status_; }

  constexpr Classifier() = default;
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

 private:
  // The profiler is the only way to run firmware code between two operators of TensorFlow Lite Micro.
  class Watchdog final : public tflite::MicroProfilerInterface {
   public:
    explicit Watchdog(void (*kick)()) : kick_(kick) {}
    uint32_t BeginEvent(const char*) override {
      if (kick_ != nullptr) kick_();
      return 0;
    }
    void EndEvent(uint32_t) override {}
    // The virtual destructor requires it; there is no heap, so it does nothing.
    static void operator delete(void*) {}

   private:
    void (*kick_)();
  };

  ClassifierStatus Prepare(uint8_t* arena, size_t arena_bytes, void (*kick_watchdog)(), const uint8_t* model);
  ClassifierStatus Run();
  void Reset();

  // Init constructs the objects in this memory. As members they would need a constructor and a destructor at run time.
  alignas(Watchdog) uint8_t watchdog_[sizeof(Watchdog)] = {};
  alignas(OpResolver) uint8_t resolver_[sizeof(OpResolver)] = {};
  alignas(tflite::MicroInterpreter) uint8_t storage_[sizeof(tflite::MicroInterpreter)] = {};
  tflite::MicroInterpreter* interpreter_ = nullptr;
  int8_t* input_ = nullptr;
  const int8_t* outputs_ = nullptr;
  Scrubber scrubber_{ {{- symbol -}} };
  Status model_status_ = Status::kOk;
};

}  // namespace {{ namespace }}

#endif  // {{ guard }}
