// Arm semihosting ("Semihosting for AArch32 and AArch64", ARM-software/abi-aa): the emulator prints and exits.
#ifndef EMULATOR_SEMIHOSTING_H_
#define EMULATOR_SEMIHOSTING_H_

#include <stdint.h>

namespace semihosting {

inline void Call(uint32_t operation, const void* argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

// SYS_WRITE0: writes a string that ends with a zero byte to the host's standard output.
inline void Write(const char* text) { Call(0x04, text); }

// SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit: the emulator exits with `code`.
[[noreturn]] inline void Exit(uint32_t code) {
  const uint32_t block[] = {0x20026, code};
  for (;;) Call(0x20, block);
}

}  // namespace semihosting

#endif  // EMULATOR_SEMIHOSTING_H_
