{% include "provenance.txt" %}
//
// Is the model in memory still the one that was exported? Radiation, worn flash or a torn update may have changed it,
// and TensorFlow Lite Micro does not look: it follows whatever offsets it finds.
//
//   using namespace {{ namespace }};
//   if (VerifyModel({{ symbol }}, {{ symbol }}_size) != Status::kOk) {
//     // another bank's copy, or no inference at all
//   }
//
// Half a kilobyte of code and constants, less than 100 bytes of stack; no heap, exceptions, RTTI, standard library or
// variables of its own: every function may be called from any task, on memory that nobody writes meanwhile. Where the
// part has a data cache, invalidate it first: it may still hold what memory has lost.

#ifndef {{ guard }}
#define {{ guard }}

#include <stddef.h>
#include <stdint.h>

namespace {{ namespace }} {

// The values are fixed, so that telemetry can carry them.
enum class Status : uint8_t {
  kOk = 0,                  // the exported model, bit for bit
  kNoModel = 1,             // null pointer
  kWrongLength = 2,         // not kModelBytes
  kWrongIdentifier = 3,     // no "TFL3" at byte 4: no TensorFlow Lite model
  kRootOutOfBounds = 4,     // the root table or its vtable is said to lie outside the model
  kWrongSchemaVersion = 5,  // not 3, the only one that TensorFlow Lite Micro reads
  kMisaligned = 6,          // not at a multiple of 16, which kernels rely on
  kCrcMismatch = 7,         // some bit differs
};

// zlib's CRC-32 (polynomial 0xedb88320, reflected), a nibble at a time from a table of 64 bytes.
//   data: may be null if length is 0.
//   seed: 0, or the CRC-32 of what comes before: Crc32(b, m, Crc32(a, n, 0)) is that of a followed by b.
// Every change of up to 32 adjacent bits is found for certain, another one save for a chance of 2^-32.
[[nodiscard]] uint32_t Crc32(const uint8_t* data, size_t length, uint32_t seed);

// Checks, in the order of Status, and returns the first thing wrong. Nothing outside model[0, length) is read.
//   model: {{ symbol }}, or a copy of it in RAM or in another bank.
//   length: in bytes, {{ symbol }}_size for the array.
// Takes time in proportion to kModelBytes; where that is longer than the watchdog allows, use a Scrubber.
[[nodiscard]] Status VerifyModel(const uint8_t* model, size_t length);

enum class Verdict : uint8_t { kInProgress = 0, kIntact = 1, kCorrupt = 2 };

// Checks the CRC-32 of kModelBytes bytes in pieces that fit between two kicks of the watchdog.
class Scrubber {
 public:
  // model: {{ symbol }} or a copy of kModelBytes bytes; must outlive this object.
  explicit constexpr Scrubber(const uint8_t* model) : model_(model) {}

  // Reads the next `bytes` bytes, fewer at the end; 0 reads none. The call that reaches the end gives the verdict, and
  // the next one starts over. One kCorrupt may be an upset of this object or of a register: it is the model's if the
  // next round, or VerifyModel, says so too.
  [[nodiscard]] Verdict ScrubStep(size_t bytes);

 private:
  const uint8_t* model_;
  size_t position_ = 0;
  uint32_t crc_ = 0;
};

// Gives three copies of the same bytes the majority of each bit, and returns how many bytes were corrected, counted in
// each copy. Wrong only where two copies lost the same bit: call VerifyModel afterwards.
//   a, b, c: writable memory of `length` bytes each, not overlapping; only bytes that change are written. For copies in
//   flash, call it a page at a time on three buffers in RAM, and have the flash driver program the pages that changed.
size_t RepairByMajority(uint8_t* a, uint8_t* b, uint8_t* c, size_t length);

}  // namespace {{ namespace }}

#endif  // {{ guard }}
