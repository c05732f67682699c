// Writes the array to standard output, so that the compiled bytes can be compared with the file.
#include <cstdint>
#include <cstdio>

#include "model_data.h"

int main() {
  if (reinterpret_cast<std::uintptr_t>({{ symbol }}) % 16 != 0) return 3;
  const size_t written = std::fwrite({{ symbol }}, 1, {{ symbol }}_size, stdout);
  return written == {{ symbol }}_size && std::fflush(stdout) == 0 ? 0 : 4;
}
