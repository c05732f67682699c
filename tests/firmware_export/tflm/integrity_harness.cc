// Answers test_integrity.py's commands on its standard input, until that ends. Every buffer has its exact size, so that
// a sanitizer sees a step beyond it. The test defines NAMESPACE, SYMBOL and SYMBOL_SIZE.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "integrity.h"
#include "model_data.h"

using namespace NAMESPACE;

static std::uint32_t Number() {
  std::uint32_t value = 0;
  if (std::fread(&value, sizeof value, 1, stdin) != 1) std::exit(0);
  return value;
}

struct Buffer {
  explicit Buffer(std::size_t offset = 0) : length(Number()) {
    const std::size_t asked = length + offset;
    block = std::malloc(asked != 0 ? asked : 1);  // malloc gives multiples of 16
    bytes = static_cast<std::uint8_t*>(block) + offset;
    if (std::fread(bytes, 1, length, stdin) != length) std::exit(3);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(block); }
  std::size_t length;
  void* block;
  std::uint8_t* bytes;
};

static void Print(const Buffer& buffer) {
  for (std::size_t i = 0; i < buffer.length; ++i) std::printf("%02x", static_cast<unsigned>(buffer.bytes[i]));
  std::printf(" ");
}

static void ScrubRounds(Scrubber* scrubber, std::uint32_t step, std::uint32_t rounds) {
  for (std::uint32_t round = 0; round < rounds; ++round) {
    unsigned steps = 1;
    Verdict verdict = scrubber->ScrubStep(step);
    for (; verdict == Verdict::kInProgress; ++steps) verdict = scrubber->ScrubStep(step);
    std::printf("%u %u ", static_cast<unsigned>(verdict), steps);
  }
}

int main() {
  for (;;) {
    switch (std::getchar()) {
      case 'c': {
        const std::uint32_t seed = Number();
        const Buffer data;
        std::printf("%u", static_cast<unsigned>(Crc32(data.bytes, data.length, seed)));
        break;
      }
      case 'v': {
        const std::uint32_t offset = Number();
        const Buffer model(offset);
        std::printf("%u", static_cast<unsigned>(VerifyModel(model.bytes, model.length)));
        break;
      }
      case 'n': std::printf("%u", static_cast<unsigned>(VerifyModel(nullptr, kModelBytes))); break;
      case 'a': std::printf("%u", static_cast<unsigned>(VerifyModel(SYMBOL, SYMBOL_SIZE))); break;
      case 's': {
        const std::uint32_t step = Number();
        const std::uint32_t is_upset = Number();
        const Buffer model;
        Scrubber scrubber(model.bytes);
        if (scrubber.ScrubStep(0) != Verdict::kInProgress) return 4;
        if (is_upset != 0) {  // everything in the object but the pointer
          char* object = reinterpret_cast<char*>(&scrubber);
          std::memset(object + sizeof(void*), 0xff, sizeof scrubber - sizeof(void*));
        }
        ScrubRounds(&scrubber, step, 2);
        break;
      }
      case 'm': {
        const Buffer a, b, c;
        const std::size_t corrected = RepairByMajority(a.bytes, b.bytes, c.bytes, a.length);
        Print(a), Print(b), Print(c);
        std::printf("%u", static_cast<unsigned>(corrected));
        break;
      }
      default: return 0;
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}
