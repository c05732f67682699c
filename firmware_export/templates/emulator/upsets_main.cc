// Flips one bit of a register or of the stack while an exported row engine computes a golden vector, and prints what came
// of it: `masked`, `differs`, `wrong`, `refused`, `crash` or `hang`. Without arguments it prints the time of an image and
// the bytes of stack: `ticks N`, `stack N`.
//
// The words of the command line: IMAGE TICK PLACE BIT LIMIT. SysTick interrupts the engine after TICK ticks. The processor and the
// handler's first instructions have then written all registers but SP to the stack, and read them back from there at the end.
// LIMIT: ticks from then on, after which the engine hangs.
{% set upper = prefix | upper %}
#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"
#include "{{ prefix }}_golden.h"

extern "C" uint32_t stack_top[];

namespace {

volatile uint32_t* const kSysTick = reinterpret_cast<volatile uint32_t*>(0xe000e010u);  // control, reload, value
volatile uint32_t* const kVectorTable = reinterpret_cast<volatile uint32_t*>(0xe000ed08u);
constexpr uint32_t kLongest = 0xffffff;

enum Place : uint32_t { kPlaceRegister = 0, kPlaceStack = 1 };
constexpr uint32_t kPc = 14, kFlags = 15;  // after r0 to r12 and lr

struct Injection {
  uint32_t image, tick, place, bit, limit;
};

{{ prefix }}_context context;
int8_t outputs[{{ upper }}_OUTPUTS];
Injection injection;
volatile uint32_t interrupts;
uint8_t* stack_base;
alignas(512) uint32_t vectors[128];

// Only flash, which is read-only, and RAM, which has no code, may be accessed, as a part's bus allows no more. The rest of the
// address space, where the emulator would run on without end, faults.
void ProtectMemory() {
  volatile uint32_t* const mpu = reinterpret_cast<volatile uint32_t*>(0xe000ed94u);  // control, region, address, attributes
  const uint32_t kReadOnly = 6u << 24, kReadWrite = 3u << 24, kNoCode = 1u << 28, k4MiB = 21u << 1, kIsEnabled = 1;
  mpu[1] = 0;
  mpu[2] = {{ "0x%08x" | format(flash_origin) }}u;
  mpu[3] = kReadOnly | k4MiB | kIsEnabled;
  mpu[1] = 1;
  mpu[2] = {{ "0x%08x" | format(ram_origin) }}u;
  mpu[3] = kReadWrite | kNoCode | k4MiB | kIsEnabled;
  mpu[0] = 1;  // without a default map
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

[[noreturn]] void End(const char* outcome) {
  semihosting::Write(outcome);
  semihosting::Write("\n");
  semihosting::Exit(0);
}

[[noreturn]] void Crash() { End("crash"); }

void Print(const char* name, uint32_t value) {
  char digits[12];
  char* to = digits + sizeof digits - 1;
  *to = 0;
  do *--to = static_cast<char>('0' + value % 10u);
  while ((value /= 10u) != 0);
  semihosting::Write(name);
  semihosting::Write(to);
  semihosting::Write("\n");
}

void StartTimer(uint32_t ticks) {
  kSysTick[1] = ticks;
  kSysTick[2] = 0;
  kSysTick[0] = 7;  // enabled, with interrupt, the processor's clock
}

void FlipRegister(uint32_t* frame, uint32_t* saved) {
  const uint32_t number = injection.bit / 32u, mask = 1u << injection.bit % 32u;
  if (number < 4) frame[number] ^= mask;              // r0 to r3
  else if (number < 12) saved[number - 4] ^= mask;    // r4 to r11
  else if (number <= kFlags) frame[number - 8] ^= mask;  // r12, lr, pc, flags
}

}  // namespace

// frame: what the processor saved; saved: r4 to r11.
extern "C" [[gnu::used]] void satkd_upsets_tick(uint32_t* frame, uint32_t* saved, uint32_t exception_return) {
  interrupts = interrupts + 1;
  if (interrupts > 1) End("hang");
  if (injection.place == kPlaceRegister) {
    FlipRegister(frame, saved);
  } else {
    const uint32_t has_floats = exception_return & 0x10u ? 0 : 18;
    const uint32_t is_padded = frame[7] >> 9 & 1u;
    uint8_t* live = reinterpret_cast<uint8_t*>(frame + 8 + has_floats + is_padded);
    const uint32_t bits = live < stack_base ? 8u * static_cast<uint32_t>(stack_base - live) : 0;
    if (bits == 0) End("masked");
    const uint32_t bit = injection.bit % bits;
    live[bit / 8u] = static_cast<uint8_t>(live[bit / 8u] ^ 1u << bit % 8u);
  }
  StartTimer(injection.limit);
}

namespace {

[[gnu::naked]] void OnTick() {
  __asm__ volatile(
      "mrs r0, msp\n\t"
      "push {r4-r11}\n\t"
      "mov r1, sp\n\t"
      "mov r2, lr\n\t"
      "push {r3, lr}\n\t"
      "bl satkd_upsets_tick\n\t"
      "pop {r3, lr}\n\t"
      "pop {r4-r11}\n\t"
      "bx lr");
}

uint32_t Largest(const int8_t* codes) {
  uint32_t found = 0;
  for (uint32_t i = 1; i < {{ upper }}_OUTPUTS; ++i) found = codes[i] > codes[found] ? i : found;
  return found;
}

// Whether the command line has all five words.
bool ReadInjection() {
  static char line[128];
  struct {
    char* buffer;
    uint32_t length;
  } block = {line, sizeof line};
  semihosting::Call(0x15, &block);  // SYS_GET_CMDLINE
  uint32_t words[5], count = 0;
  bool is_number = false;
  for (const char* c = line; *c != 0; ++c) {
    const bool is_digit = *c >= '0' && *c <= '9';
    if (is_digit && !is_number) {
      if (count == 5) return false;
      words[count++] = 0;
    }
    if (is_digit) words[count - 1] = words[count - 1] * 10u + static_cast<uint32_t>(*c - '0');
    is_number = is_digit;
  }
  if (count != 5) return false;
  injection = {words[0], words[1], words[2], words[3], words[4]};
  return true;
}

[[gnu::noinline]] int Run(uint32_t image) {
  return {{ prefix }}_run(&context, sizeof context, {{ prefix }}_golden_inputs[image], outputs);
}

void Measure() {
  volatile uint8_t* const end = static_cast<uint8_t*>(__builtin_frame_address(0)) - 256;
  uint8_t* const start = reinterpret_cast<uint8_t*>(stack_top) - 4096;
  for (volatile uint8_t* byte = start; byte < end; ++byte) *byte = 0x5a;
  StartTimer(kLongest);
  const int status = Run(0);
  const uint32_t ticks = kLongest - kSysTick[2];
  kSysTick[0] = 0;
  if (status != SATKD_OK || interrupts != 0) End("refused");
  const uint8_t* byte = start;
  while (*byte == 0x5a) ++byte;
  Print("ticks ", ticks);
  Print("stack ", static_cast<uint32_t>(stack_base - byte));
  End("measured");
}

}  // namespace

int main() {
  for (uint32_t i = 0; i < 16; ++i) vectors[i] = reinterpret_cast<uint32_t>(&Crash);
  vectors[15] = reinterpret_cast<uint32_t>(&OnTick);
  *kVectorTable = reinterpret_cast<uint32_t>(vectors);
  stack_base = static_cast<uint8_t*>(__builtin_frame_address(0));
  ProtectMemory();
  if (!ReadInjection()) Measure();
  StartTimer(injection.tick);
  const int status = Run(injection.image);
  kSysTick[0] = 0;
  if (interrupts == 0) End("late");
  if (status != SATKD_OK) End("refused");
  const int8_t* golden = {{ prefix }}_golden_outputs[injection.image];
  bool is_same = true;
  for (uint32_t i = 0; i < {{ upper }}_OUTPUTS; ++i) is_same = is_same && outputs[i] == golden[i];
  if (is_same) End("masked");
  End(Largest(outputs) == Largest(golden) ? "differs" : "wrong");
}
