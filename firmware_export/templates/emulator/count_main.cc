// Runs one golden vector in the row engine, and prints, a line each: "layer", the number of a layer in the schedule, and the
// SysTick counts of its steps. Layer 0 is all else: the beginning, the rows of the image, the end.
{% set upper = prefix | upper %}
#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"
#include "{{ prefix }}_golden.h"

namespace {

using semihosting::Write;

constexpr uint32_t kLayers = {{ layers }};

{{ prefix }}_context context;
int8_t outputs[{{ upper }}_OUTPUTS];
uint32_t ticks[kLayers + 1];

uint32_t current, last;  // the layer whose step runs, and the count when it began
uint32_t position;       // in the schedule, of the step that runs next
bool is_pushing;

volatile uint32_t& Register(uint32_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }
uint32_t Count() { return Register(0xe000e018u); }  // SYST_CVR counts down from 0xffffff

uint32_t Entry(uint32_t at) {
  const auto* model = static_cast<const satkd_engine_model*>({{ prefix }}_constants_start());
  const uint8_t* schedule = reinterpret_cast<const uint8_t*>(model) + model->schedule;
  if (model->schedule_bytes == 1u) return schedule[at];
  return schedule[2u * at] | static_cast<uint32_t>(schedule[2u * at + 1u] << 8u);
}

// The time since the last call was the current layer's; from now on it is another layer's.
void Switch(uint32_t layer) {
  ticks[current] += (last - Count()) & 0xffffffu;
  current = layer;
  last = Count();
}

void Print(uint32_t value) {
  char digits[12];
  char* to = digits + sizeof(digits) - 1;
  *to = 0;
  do {
    *--to = static_cast<char>('0' + value % 10u);
    value /= 10u;
  } while (value != 0);
  Write(to);
}

}  // namespace

// The engine calls this before every step of a layer, and also while it checks a model.
extern "C" void satkd_count_step(void);
extern "C" void satkd_count_step(void) { Switch(is_pushing ? Entry(position++) : 0); }

int main() {
  Register(0xe000e014u) = 0xffffffu;  // SYST_RVR
  Register(0xe000e010u) = 5;          // SYST_CSR: the processor's clock, no interrupt
  Register(0xe000e018u) = 0;          // any write clears the count
  last = Count();
  int status = {{ prefix }}_begin(&context, sizeof(context));
  for (uint32_t row = 0; status == SATKD_OK && row < {{ upper }}_ROWS; ++row) {
    ++position;  // the row itself
    is_pushing = true;
    status = {{ prefix }}_push_row(&context, {{ prefix }}_golden_inputs[0] + row * {{ upper }}_ROW_BYTES);
    is_pushing = false;
    Switch(0);
  }
  if (status == SATKD_OK) status = {{ prefix }}_finish(&context, outputs);
  Switch(0);
  bool has_failed = status != SATKD_OK;
  for (int i = 0; i < {{ upper }}_OUTPUTS; ++i) has_failed = has_failed || outputs[i] != {{ prefix }}_golden_outputs[0][i];
  for (uint32_t layer = 0; layer <= kLayers; ++layer) {
    Write("layer ");
    Print(layer);
    Write(" ");
    Print(ticks[layer]);
    Write("\n");
  }
  if (has_failed) Write("FAILED outputs\n");
  return has_failed ? 1 : 0;
}
