// Startup from reset to main() on an emulated Cortex-M. There are no static constructors to run.
#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"

int main();

extern "C" {

// Addresses defined in memory.ld, not variables.
extern uint32_t stack_top[];
extern uint32_t data_load[];
extern uint32_t data_start[];
extern uint32_t data_end[];
extern uint32_t bss_start[];
extern uint32_t bss_end[];

// The compiler may generate calls of these two functions.
void* memcpy(void* to, const void* from, size_t length) {
  for (size_t i = 0; i < length; ++i) static_cast<uint8_t*>(to)[i] = static_cast<const uint8_t*>(from)[i];
  return to;
}

void* memset(void* to, int value, size_t length) {
  for (size_t i = 0; i < length; ++i) static_cast<uint8_t*>(to)[i] = static_cast<uint8_t>(value);
  return to;
}

[[noreturn]] void Fault() {
  semihosting::Write("FAILED processor fault\n");
  semihosting::Exit(1);
}

[[noreturn]] void Reset() {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  // CPACR: enable coprocessors 10 and 11, the floating-point and vector unit, before compiled code uses them.
  *reinterpret_cast<volatile uint32_t*>(0xe000ed88u) |= 0xfu << 20;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
  const uint32_t* source = data_load;
  for (uint32_t* word = data_start; word != data_end; ++word) *word = *source++;
  for (uint32_t* word = bss_start; word != bss_end; ++word) *word = 0;
  semihosting::Exit(static_cast<uint32_t>(main()));
}

}  // extern "C"

namespace {

using Handler = void (*)();

struct VectorTable {
  const void* stack;
  Handler reset;
  Handler faults[14];  // exceptions 2 to 15; no interrupt is enabled
};

}  // namespace

[[gnu::section(".vectors"), gnu::used]] static const VectorTable vector_table = {
    stack_top,
    Reset,
    {Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault, Fault},
};
