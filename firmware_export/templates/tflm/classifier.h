{% include "provenance.txt" %}
//
// Pixels in, a class or "unsure" out, and a status for everything that can go wrong on the way.
//
//   alignas(16) static uint8_t arena[{{ namespace }}::kArenaBytes];
//   static {{ namespace }}::Classifier classifier;
//
//   if (classifier.Init(arena, sizeof arena, KickWatchdog) != {{ namespace }}::ClassifierStatus::kOk) { /* safe mode */ }
//   if (classifier.SelfTest() != {{ namespace }}::ClassifierStatus::kOk) { /* safe mode */ }
//   const {{ namespace }}::Classification seen = classifier.Classify(pixels);
//   if (seen.status == {{ namespace }}::ClassifierStatus::kOk) Downlink(seen.class_index);
//
// No heap, exceptions, RTTI or floating point. One task at a time may call into an object. Needs TensorFlow Lite Micro.
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

// The highest output must lead the second by so many codes for an answer; 0 answers always.
inline constexpr int kLeastMargin = {{ least_margin }};

// The values are fixed, so that telemetry can carry them.
enum class ClassifierStatus : uint8_t {
  kOk = 0,
  kUnsure = 1,              // no error: the margin is below kLeastMargin
  kNotInitialized = 2,      // Init has not been called, or did not return kOk
  kNullPointer = 3,         // an argument is null
  kBadModel = 4,            // model_status() says what is wrong with it
  kArenaMisaligned = 5,     // not at a multiple of 16
  kArenaTooSmall = 6,       // below kArenaBytes
  kOperatorMissing = 7,     // an operator could not be registered
  kAllocationFailed = 8,    // TensorFlow Lite Micro could not lay out the arena
  kUnexpectedTensors = 9,   // input or output is not int8 of the exported size
  kInvokeFailed = 10,       // an operator returned an error
  kSelfTestFailed = 11,     // a golden vector gave other bytes than on the host
  kNoProfiler = 12,         // TensorFlow Lite Micro, built with TF_LITE_STRIP_ERROR_STRINGS, would kick no watchdog
};

struct Classification {
  ClassifierStatus status;
  int16_t class_index;  // 0 to kOutputs - 1; set for kOk and kUnsure, otherwise -1
  int16_t margin;       // by how many codes, 0 to 255, it leads the second; otherwise -1
};

class Classifier {
 public:
  // Checks the model before the interpreter touches it, and lays out the arena. May be called again at any time,
  // whatever has become of the arena.
  //   arena: `arena_bytes` bytes at a multiple of 16, at least kArenaBytes; the classifier's alone as long as it lives.
  //   kick_watchdog: called before every operator, the slowest of which must fit between two kicks; may be null. By way
  //   of TensorFlow Lite Micro's profiler, which a build with TF_LITE_STRIP_ERROR_STRINGS leaves out.
  //   model: the array, or a verified copy of it; must outlive the classifier.
  [[nodiscard]] ClassifierStatus Init(uint8_t* arena, size_t arena_bytes, void (*kick_watchdog)() = nullptr,
                                      const uint8_t* model = {{ symbol }});

  // Runs the model once.
{% if has_unit_input %}
  //   pixels: kInputBytes bytes, {{ input.shape[1:] | join(" x ") }}, {{ "rows of RGB as the camera gives them" if input.shape[-1] == 3 else "each from 0 to 255" }}.
  [[nodiscard]] Classification Classify(const uint8_t* pixels);
{% else %}
  //   codes: kInputBytes bytes, round(value / kInputScale) + kInputZeroPoint.
  [[nodiscard]] Classification Classify(const int8_t* codes);
{% endif %}

  // Runs the golden vectors: kOk, or what is wrong.
  [[nodiscard]] ClassifierStatus SelfTest();

  // Checks the CRC of the next `bytes` bytes of the model: see Scrubber. kCorrupt where Init has not succeeded.
  [[nodiscard]] Verdict ScrubStep(size_t bytes);

  // The int8 outputs of the last Classify, kOutputs of them; null before the first.
  [[nodiscard]] const int8_t* outputs() const { return outputs_; }

  // Why Init returned kBadModel.
  [[nodiscard]] Status model_status() const { return model_status_; }

  Classifier() = default;
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

 private:
  // Between two operators is the only place where TensorFlow Lite Micro lets firmware do something.
  class Watchdog final : public tflite::MicroProfilerInterface {
   public:
    uint32_t BeginEvent(const char*) override {
      if (kick != nullptr) kick();
      return 0;
    }
    void EndEvent(uint32_t) override {}
    // A virtual destructor asks for it; there is no heap to give anything back to.
    static void operator delete(void*) {}

    void (*kick)() = nullptr;
  };

  ClassifierStatus Prepare(uint8_t* arena, size_t arena_bytes, const uint8_t* model);
  ClassifierStatus Run();
  void Reset();

  Watchdog watchdog_;
  OpResolver resolver_;
  bool has_operators_ = false;
  alignas(tflite::MicroInterpreter) uint8_t storage_[sizeof(tflite::MicroInterpreter)];
  tflite::MicroInterpreter* interpreter_ = nullptr;
  int8_t* input_ = nullptr;
  const int8_t* outputs_ = nullptr;
  Scrubber scrubber_{ {{- symbol -}} };
  Status model_status_ = Status::kOk;
};

}  // namespace {{ namespace }}

#endif  // {{ guard }}
