// Two models, each for TensorFlow Lite Micro and for the row engine.
#include <cstring>

#include "cloud_classifier.h"
#include "cloud_folder/golden_vectors.h"
#include "cloud_rows_golden.h"
#include "ship_classifier.h"
#include "ship_folder/golden_vectors.h"
#include "ship_rows_golden.h"

// A network that knows its golden vectors stands for TFLM.
#define REPLAY(model)                                                                     \
  void Replay_##model(const std::int8_t* input, std::int8_t* output) {                    \
    for (int v = 0; v < model::kGoldenVectorCount; ++v) {                                 \
      bool same = true;                                                                   \
      for (std::size_t i = 0; i < model::kInputBytes; ++i) {                              \
        same = same && (input[i] & 0xff) == (model::kGoldenInputs[v][i] ^ 0x80);          \
      }                                                                                   \
      if (same) std::memcpy(output, model::kGoldenOutputs[v], model::kOutputs);           \
    }                                                                                     \
  }

#define RUN(model, failure)                                                               \
  alignas(16) static std::uint8_t arena_##model[model::kArenaBytes];                      \
  static model::Classifier classifier_##model;                                            \
  static model##_rows_context context_##model;                                            \
  tflite::behaviour.input_bytes = model::kInputBytes;                                     \
  tflite::behaviour.output_bytes = model::kOutputs;                                       \
  tflite::behaviour.network = Replay_##model;                                             \
  const auto init_##model = classifier_##model.Init(arena_##model, sizeof arena_##model); \
  if (init_##model != model::ClassifierStatus::kOk) return failure;                       \
  if (classifier_##model.SelfTest() != model::ClassifierStatus::kOk) return failure + 1;  \
  if (model##_rows_self_test(&context_##model, sizeof context_##model) != 0) return failure + 2;

namespace {

REPLAY(cloud)
REPLAY(ship)

}  // namespace

int main() {
  RUN(cloud, 1)
  RUN(ship, 4)
  if (cloud::kModelCrc32 == ship::kModelCrc32) return 7;
  return cloud::VerifyModel(g_ship_data, g_ship_data_size) == cloud::Status::kCrcMismatch ? 0 : 8;
}
