// Runs golden vectors in the row engine, and prints, a line each: a function, and the fewest and the most SysTick counts of
// its calls, rounded outwards; then the bytes of stack that were written below main's frame.
{% set upper = prefix | upper %}
#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"
#include "{{ prefix }}_golden.h"

extern "C" uint32_t bss_end[];  // an address defined in memory.ld, not a variable

namespace {

using semihosting::Write;

{{ prefix }}_context context;
int8_t outputs[{{ upper }}_OUTPUTS];
satkd_scrubber scrubber;

volatile uint32_t& Register(uint32_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }
volatile uint32_t& Count() { return Register(0xe000e018u); }  // SYST_CVR counts down from 0xffffff; a write clears it

void Print(const char* before, uint32_t value) {
  char digits[12];
  char* to = digits + sizeof(digits) - 1;
  *to = 0;
  do {
    *--to = static_cast<char>('0' + value % 10u);
    value /= 10u;
  } while (value != 0);
  Write(before);
  Write(to);
}

struct Calls {
  const char* name;
  uint32_t least = 0xffffffffu;
  uint32_t most = 0;
};

bool has_failed = false;

void Note(Calls* calls, uint32_t least, uint32_t most) {
  if (least < calls->least) calls->least = least;
  if (most > calls->most) calls->most = most;
}

// The counts of all calls for one image.
uint32_t image_least, image_most;

template <typename Function>
void Measure(Calls* calls, int expected, Function function) {
  Count() = 0;
  const uint32_t before = Count();
  const int status = function();
  const uint32_t ticks = (before - Count()) & 0xffffffu;
  has_failed = has_failed || status != expected;
  const uint32_t least = ticks > 0 ? ticks - 1 : 0;
  Note(calls, least, ticks + 1);
  image_least += least;
  image_most += ticks + 1;
}

void Print(const Calls& calls) {
  Write(calls.name);
  Print(" ", calls.least);
  Print(" ", calls.most);
  Write("\n");
}

// The free memory below the frame of main.
constexpr uint32_t kMost = 16384;
volatile uint8_t* Below(uint32_t pointer) {
  const uint32_t end = reinterpret_cast<uint32_t>(bss_end);
  return reinterpret_cast<volatile uint8_t*>(pointer - end < kMost ? end : pointer - kMost);
}

[[gnu::noinline]] void Run() {
  Calls begin = {"begin"}, push = {"push_row"}, finish = {"finish"}, image = {"image"};
  Calls verify = {"verify"}, scrub = {"scrub_step"};
  for (int vector = 0; vector < {{ vectors }}; ++vector) {
    const auto* rows = {{ prefix }}_golden_inputs[vector];
    image_least = image_most = 0;
    Measure(&begin, SATKD_OK, [] { return {{ prefix }}_begin(&context, sizeof(context)); });
    for (int row = 0; row < {{ upper }}_ROWS; ++row) {
      const auto* pixels = rows + row * {{ upper }}_ROW_BYTES;
      Measure(&push, SATKD_OK, [=] { return {{ prefix }}_push_row(&context, pixels); });
    }
    Measure(&finish, SATKD_OK, [] { return {{ prefix }}_finish(&context, outputs); });
    Note(&image, image_least, image_most);
    for (int i = 0; i < {{ upper }}_OUTPUTS; ++i) {
      has_failed = has_failed || outputs[i] != {{ prefix }}_golden_outputs[vector][i];
    }
  }
  const Calls* const measured[] = {&begin, &push, &finish, &image, &verify, &scrub};
  Measure(&verify, SATKD_OK, [] { return {{ prefix }}_verify(); });
  constexpr int kScrubbed = {{ upper }}_CONSTANTS_BYTES > {{ scrub_bytes }} ? SATKD_IN_PROGRESS : SATKD_OK;
  Measure(&scrub, kScrubbed, [] { return {{ prefix }}_scrub_step(&scrubber, {{ scrub_bytes }}); });
  for (const Calls* calls : measured) Print(*calls);
  if (has_failed) {  // linked in any case, so that their stack is known
    {{ prefix }}_run(&context, sizeof(context), {{ prefix }}_golden_inputs[0], outputs);
    {{ prefix }}_self_test(&context, sizeof(context));
  }
}

}  // namespace

int main() {
  Register(0xe000e014u) = 0xffffffu;  // SYST_RVR
  Register(0xe000e010u) = 5;          // SYST_CSR: the processor's clock, no interrupt
  uint32_t pointer;
  __asm__ volatile("mov %0, sp" : "=r"(pointer));
  volatile uint8_t* below = Below(pointer);
  const uint32_t size = pointer - reinterpret_cast<uint32_t>(below);
  for (uint32_t i = 0; i < size - 64; ++i) below[i] = 0x5a;
  Run();
  uint32_t unused = 0;
  while (unused < size && below[unused] == 0x5a) ++unused;
  Print("stack ", size - unused);
  Write("\n");
  if (has_failed) Write("FAILED outputs\n");
  return has_failed ? 1 : 0;
}
