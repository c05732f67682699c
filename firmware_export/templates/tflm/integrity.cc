{% include "provenance.txt" %}

#include "integrity.h"

#include "model_data.h"
{% if rows_prefix %}
#include "satkd_engine.h"
{% endif %}

namespace {{ namespace }} {
namespace {

constexpr uint32_t kSchemaVersion = 3;  // TFLITE_SCHEMA_VERSION
constexpr uint32_t kAlignment = 16;     // TFLM's MicroArenaBufferAlignment
constexpr uint8_t kIdentifier[] = {'T', 'F', 'L', '3'};

static_assert(kModelBytes >= 8, "a flatbuffer contains at least a root offset and an identifier");

// Without volatile, a compiler that knows the array's content, as with link-time optimization, may use the compiled
// values instead of reading memory.
inline uint8_t Load(const uint8_t* address) { return *static_cast<const volatile uint8_t*>(address); }

inline uint32_t LoadUint16(const uint8_t* bytes) {
  return static_cast<uint32_t>(Load(bytes)) | static_cast<uint32_t>(Load(bytes + 1)) << 8;
}

inline uint32_t LoadUint32(const uint8_t* bytes) { return LoadUint16(bytes) | LoadUint16(bytes + 2) << 16; }

// Checks the root table's first field, `version`. A flatbuffer starts with the position of its root table. A table
// starts with its distance from its vtable. A vtable contains its own size, the table's size, and the offset of each
// field in the table, 0 for an absent field.
Status CheckSchemaVersion(const uint8_t* model) {
  const uint32_t table = LoadUint32(model);
  if (table > kModelBytes - 4) return Status::kRootOutOfBounds;
  const uint32_t vtable = table - LoadUint32(model + table);  // a vtable before the model wraps to a large offset
  if (vtable > kModelBytes - 6) return Status::kRootOutOfBounds;
  const uint32_t field = LoadUint16(model + vtable) < 6 ? 0 : LoadUint16(model + vtable + 4);
  if (field == 0) return Status::kWrongSchemaVersion;
  if (field > kModelBytes - 4 - table) return Status::kRootOutOfBounds;
  return LoadUint32(model + table + field) == kSchemaVersion ? Status::kOk : Status::kWrongSchemaVersion;
}
{% if not rows_prefix %}

inline size_t Correct(uint8_t* byte, uint8_t majority) {
  if (*byte == majority) return 0;
  *byte = majority;
  return 1;
}
{% endif %}

}  // namespace

{% if rows_prefix %}
// Those of the row engine: one copy for both engines.
uint32_t Crc32(const uint8_t* data, size_t length, uint32_t seed) { return satkd_crc32(data, length, seed); }
{% else %}
uint32_t Crc32(const uint8_t* data, size_t length, uint32_t seed) {
  static constexpr uint32_t kNibbles[16] = {
      0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
      0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
  };
  uint32_t crc = ~seed;
  for (size_t i = 0; i < length; ++i) {
    crc ^= Load(data + i);
    crc = (crc >> 4) ^ kNibbles[crc & 15u];
    crc = (crc >> 4) ^ kNibbles[crc & 15u];
  }
  return ~crc;
}
{% endif %}

Status VerifyModel(const uint8_t* model, size_t length) {
  if (model == nullptr) return Status::kNoModel;
  if (length != kModelBytes) return Status::kWrongLength;
  for (size_t i = 0; i < sizeof(kIdentifier); ++i) {
    if (Load(model + 4 + i) != kIdentifier[i]) return Status::kWrongIdentifier;
  }
  const Status version = CheckSchemaVersion(model);
  if (version != Status::kOk) return version;
  if (reinterpret_cast<uintptr_t>(model) % kAlignment != 0) return Status::kMisaligned;
  return Crc32(model, length, 0) == kModelCrc32 ? Status::kOk : Status::kCrcMismatch;
}

Verdict Scrubber::ScrubStep(size_t bytes) {
  if (position_ >= kModelBytes) {  // possible only after an upset of this object; must not read past the model
    position_ = 0;
    crc_ = 0;
  }
  const size_t left = kModelBytes - position_;
  const size_t piece = bytes < left ? bytes : left;
  crc_ = Crc32(model_ + position_, piece, crc_);
  position_ += piece;
  if (position_ < kModelBytes) return Verdict::kInProgress;
  const bool is_intact = crc_ == kModelCrc32;
  position_ = 0;
  crc_ = 0;
  return is_intact ? Verdict::kIntact : Verdict::kCorrupt;
}

size_t RepairByMajority(uint8_t* a, uint8_t* b, uint8_t* c, size_t length) {
{% if rows_prefix %}
  return satkd_repair_by_majority(a, b, c, static_cast<uint32_t>(length));
{% else %}
  size_t corrected = 0;
  for (size_t i = 0; i < length; ++i) {
    const uint8_t majority = static_cast<uint8_t>((a[i] & b[i]) | (b[i] & c[i]) | (c[i] & a[i]));
    corrected += Correct(a + i, majority) + Correct(b + i, majority) + Correct(c + i, majority);
  }
  return corrected;
{% endif %}
}

}  // namespace {{ namespace }}
