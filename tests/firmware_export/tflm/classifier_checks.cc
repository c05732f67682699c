// Every answer that the generated classifier can give, on a network that knows the golden vectors.
#include <cstdio>
#include <cstring>

#include "classifier.h"
#include "golden_vectors.h"

using namespace student_model;

namespace {

alignas(16) std::uint8_t arena[kArenaBytes];
alignas(16) std::uint8_t copy[kModelBytes];
int kicks = 0;
int failures = 0;
std::int8_t answer[kOutputs];

void Check(bool holds, const char* what) {
  if (!holds) {
    std::printf("FAILED %s\n", what);
    ++failures;
  }
}

void Replay(const std::int8_t* input, std::int8_t* output) {
  for (int v = 0; v < kGoldenVectorCount; ++v) {
    bool same = true;
    for (std::size_t i = 0; i < kInputBytes; ++i) same = same && input[i] == static_cast<std::int8_t>(kGoldenInputs[v][i] ^ 0x80);
    if (same) std::memcpy(output, kGoldenOutputs[v], sizeof kGoldenOutputs[v]);
  }
}

void Answer(const std::int8_t*, std::int8_t* output) { std::memcpy(output, answer, sizeof answer); }

void Set(int first, int second) {
  std::memset(answer, -128, sizeof answer);
  answer[0] = static_cast<std::int8_t>(second);
  answer[kOutputs - 1] = static_cast<std::int8_t>(first);
}

}  // namespace

int main() {
  using S = ClassifierStatus;
  tflite::Behaviour& tflm = tflite::behaviour;
  tflm.input_bytes = kInputBytes;
  tflm.output_bytes = kOutputs;
  tflm.network = Replay;
  static std::uint8_t pixels[kInputBytes];
  {
    Classifier classifier;
    Check(classifier.Classify(pixels).status == S::kNotInitialized, "classify before init");
    Check(classifier.SelfTest() == S::kNotInitialized, "self-test before init");
    Check(classifier.ScrubStep(1) == Verdict::kCorrupt, "scrub before init");

    Check(classifier.Init(nullptr, sizeof arena) == S::kNullPointer, "no arena");
    Check(classifier.Init(arena + 1, sizeof arena) == S::kArenaMisaligned, "misaligned arena");
    Check(classifier.Init(arena, sizeof arena - 1) == S::kArenaTooSmall, "small arena");
    Check(classifier.Init(arena, sizeof arena, nullptr, nullptr) == S::kNullPointer, "no model");
    std::memcpy(copy, MODEL_SYMBOL, sizeof copy);
    copy[kModelBytes - 1] ^= 1;
    Check(classifier.Init(arena, sizeof arena, nullptr, copy) == S::kBadModel, "damaged model");
    Check(classifier.model_status() == Status::kCrcMismatch, "what is wrong with it");
    Check(tflm.interpreters_made == 0, "no interpreter has seen it");

#ifdef TF_LITE_STRIP_ERROR_STRINGS
    Check(classifier.Init(arena, sizeof arena, [] {}) == S::kNoProfiler, "a watchdog that nothing would kick");
    Check(classifier.Init(arena, sizeof arena) == S::kOk && classifier.SelfTest() == S::kOk, "without a watchdog");
    std::printf("%d failures\n", failures);
    return failures;
#endif
    tflm.allocates = false;
    Check(classifier.Init(arena, sizeof arena) == S::kAllocationFailed, "allocation fails");
    tflm.allocates = true;
    tflm.type = kTfLiteFloat32;
    Check(classifier.Init(arena, sizeof arena) == S::kUnexpectedTensors, "float tensors");
    tflm.type = kTfLiteInt8;
    tflm.input_bytes = kInputBytes - 1;
    Check(classifier.Init(arena, sizeof arena) == S::kUnexpectedTensors, "another input");
    tflm.input_bytes = kInputBytes;
    Check(classifier.Classify(pixels).status == S::kNotInitialized, "classify after failed init");

    Check(classifier.Init(arena, sizeof arena, [] { ++kicks; }) == S::kOk, "init");
    Check(classifier.SelfTest() == S::kOk, "self-test");
    Check(kicks == kGoldenVectorCount, "watchdog kicked before each operator");
    Check(classifier.Classify(nullptr).status == S::kNullPointer, "no pixels");

    tflm.network = Answer;
    Check(classifier.SelfTest() == S::kSelfTestFailed, "self-test on another network");
    const int least = kLeastMargin > 0 ? kLeastMargin : 1;  // with none, every answer is sure
    Set(100, 100 - least);
    Classification seen = classifier.Classify(pixels);
    Check(seen.status == S::kOk && seen.class_index == kOutputs - 1 && seen.margin == least, "sure");
    Set(100, 101 - least);
    seen = classifier.Classify(pixels);
    Check(seen.status == (kLeastMargin > 0 ? S::kUnsure : S::kOk) && seen.margin == least - 1, "unsure");
    Set(127, -128);
    Check(classifier.Classify(pixels).margin == 255, "largest margin");
    tflm.invokes = false;
    Check(classifier.Classify(pixels).status == S::kInvokeFailed, "invoke fails");
    Check(classifier.SelfTest() == S::kInvokeFailed, "invoke fails in self-test");
    tflm.invokes = true;

    Check(classifier.ScrubStep(kModelBytes - 1) == Verdict::kInProgress, "scrub, first step");
    Check(classifier.ScrubStep(1) == Verdict::kIntact, "scrub, last step");
    copy[kModelBytes - 1] ^= 1;
    Check(classifier.Init(arena, sizeof arena, nullptr, copy) == S::kOk, "init with a copy");
    copy[100] ^= 4;
    Check(classifier.ScrubStep(kModelBytes) == Verdict::kCorrupt, "scrub looks at the copy");
    Check(tflm.registered == OPERATORS * tflm.interpreters_made, "each interpreter has its operators");
    Check(tflm.registered_int8 == INT8_OPERATORS * tflm.interpreters_made, "operators for int8 alone");
  }
  Check(tflm.interpreters_destroyed == 0, "no destructor walks an arena that may be damaged");
  tflm.operators_that_fit = OPERATORS - 1;
  Classifier lacking;
  Check(lacking.Init(arena, sizeof arena) == S::kOperatorMissing, "operator missing");
  std::printf("%d failures\n", failures);
  return failures;
}
