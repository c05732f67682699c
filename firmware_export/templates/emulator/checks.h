// Shared by all check programs.
#ifndef EMULATOR_CHECKS_H_
#define EMULATOR_CHECKS_H_

#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"

// Addresses defined in memory.ld, not variables.
extern "C" {
extern const uint8_t flash_start[];
extern const uint8_t flash_end[];
}

namespace checks {

inline bool has_failed = false;

// Prints one line per check.
inline void Check(const char* name, bool is_ok) {
  semihosting::Write(is_ok ? "ok " : "FAILED ");
  semihosting::Write(name);
  semihosting::Write("\n");
  has_failed = has_failed || !is_ok;
}

inline bool IsInFlash(const void* place, size_t bytes) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(place);
  return address >= reinterpret_cast<uintptr_t>(flash_start) &&
         address + bytes <= reinterpret_cast<uintptr_t>(flash_end);
}

// Damages three copies of the same bytes such that the majority of each bit is still correct. Returns the number of
// changed bytes.
template <size_t kRoom>
size_t Damage(uint8_t (&copies)[3][kRoom], size_t bytes) {
  size_t damaged = 0;
  for (size_t i = 0; i < bytes; ++i) {
    const size_t copy = i % 7;
    if (copy < 3) {  // all bits of a byte in one copy
      copies[copy][i] = static_cast<uint8_t>(~copies[copy][i]);
      damaged += 1;
    } else if (copy == 3) {  // the same byte in all three copies, a different bit in each
      for (size_t c = 0; c < 3; ++c) copies[c][i] = static_cast<uint8_t>(copies[c][i] ^ 1u << (i + c) % 8);
      damaged += 3;
    }
  }
  return damaged;
}

}  // namespace checks

#endif  // EMULATOR_CHECKS_H_
