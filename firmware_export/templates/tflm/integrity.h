{% include "provenance.txt" %}
//
// Checks that the model in memory is still the exported one. Radiation, worn flash or an interrupted update may have
// changed it, and TensorFlow Lite Micro does not check: it follows any offset in the model.
//
//   using namespace {{ namespace }};
//   if (VerifyModel({{ symbol }}, {{ symbol }}_size) != Status::kOk) {
//     // use a copy from another bank, or do not run inference
//   }
//
// Takes half a kilobyte of code and constants and less than 100 bytes of stack. Uses no heap, exceptions, RTTI,
// standard library or global variables, so every function may be called from any task, as long as no other task writes
// to the same memory. If the part has a data cache, invalidate it first, or it may hide damage in memory.

#ifndef {{ guard }}
#define {{ guard }}

#include <stddef.h>
#include <stdint.h>

namespace {{ namespace }} {

// The values will not change, so that telemetry can contain them.
enum class Status : uint8_t {
  kOk = 0,                  // the exported model, bit for bit
  kNoModel = 1,             // null pointer
  kWrongLength = 2,         // not kModelBytes
  kWrongIdentifier = 3,     // no "TFL3" at byte 4: not a TensorFlow Lite model
  kRootOutOfBounds = 4,     // the offset of the root table or its vtable points outside the model
  kWrongSchemaVersion = 5,  // not 3, the only version that TensorFlow Lite Micro reads
  kMisaligned = 6,          // the address is not a multiple of 16, as kernels require
  kCrcMismatch = 7,         // at least one bit differs
};

// zlib's CRC-32 (polynomial 0xedb88320, reflected), computed one nibble at a time with a table of 64 bytes.
//   data: may be null if length is 0.
//   seed: 0, or the CRC-32 of the preceding bytes: Crc32(b, m, Crc32(a, n, 0)) is the CRC-32 of a followed by b.
// Detects every change within 32 adjacent bits; any other change remains undetected with a probability of 2^-32.
[[nodiscard]] uint32_t Crc32(const uint8_t* data, size_t length, uint32_t seed);

// Runs the checks in the order of Status and returns the first error. Reads nothing outside model[0, length).
//   model: {{ symbol }}, or a copy of it in RAM or in another bank.
//   length: in bytes, {{ symbol }}_size for the array.
// The time is proportional to kModelBytes. If that is longer than the watchdog allows, use a Scrubber.
[[nodiscard]] Status VerifyModel(const uint8_t* model, size_t length);

enum class Verdict : uint8_t { kInProgress = 0, kIntact = 1, kCorrupt = 2 };

// Checks the CRC-32 of kModelBytes bytes in steps that are short enough for the watchdog.
class Scrubber {
 public:
  // model: {{ symbol }} or a copy of kModelBytes bytes; must outlive this object.
  explicit constexpr Scrubber(const uint8_t* model) : model_(model) {}

  // Reads the next `bytes` bytes, or fewer at the end. The call that reaches the end returns kIntact or kCorrupt, and
  // the next call starts over. The cause of a single kCorrupt may be an upset of this object or of a register: the
  // model is damaged if the next round or VerifyModel also fails.
  [[nodiscard]] Verdict ScrubStep(size_t bytes);

 private:
  const uint8_t* model_;
  size_t position_ = 0;
  uint32_t crc_ = 0;
};

// Sets each bit of three copies to the majority of the three, and returns the number of corrected bytes in all copies.
// The result is wrong only if the same bit is damaged in two copies: call VerifyModel afterwards.
//   a, b, c: writable memory of `length` bytes each, not overlapping; only bytes that change are written. For copies in
//   flash, call it page by page on three buffers in RAM, and let the flash driver program the pages that changed.
size_t RepairByMajority(uint8_t* a, uint8_t* b, uint8_t* c, size_t length);

}  // namespace {{ namespace }}

#endif  // {{ guard }}
