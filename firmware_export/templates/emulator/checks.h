// What every program of checks uses.
#ifndef EMULATOR_CHECKS_H_
#define EMULATOR_CHECKS_H_

#include <stddef.h>
#include <stdint.h>

#include "semihosting.h"

// Places, not variables: memory.ld defines them.
extern "C" {
extern const uint8_t flash_start[];
extern const uint8_t flash_end[];
}

namespace checks {

inline bool has_failed = false;

// One line a check.
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

}  // namespace checks

#endif  // EMULATOR_CHECKS_H_
