// Checks an exported folder on the part itself: prints one line per check, exit code 1 if any check failed.
#include <stddef.h>
#include <stdint.h>

#include "checks.h"
#include "golden_vectors.h"
#include "integrity.h"
#include "model_data.h"

namespace {

using namespace {{ namespace }};
using checks::Check;

alignas(16) uint8_t copies[3][(kModelBytes + 31u) / 16u * 16u];  // a multiple of 16, with space to start one byte later

void Copy(uint8_t* to) {
  for (size_t i = 0; i < kModelBytes; ++i) to[i] = {{ symbol }}[i];
}

bool IsModel(const uint8_t* copy) {
  for (size_t i = 0; i < kModelBytes; ++i) {
    if (copy[i] != {{ symbol }}[i]) return false;
  }
  return true;
}

// The result of VerifyModel for a copy in which some bits of one byte are flipped.
Status Flipped(size_t position, uint8_t bits) {
  uint8_t* copy = copies[0];
  copy[position] = static_cast<uint8_t>(copy[position] ^ bits);
  const Status status = VerifyModel(copy, kModelBytes);
  copy[position] = static_cast<uint8_t>(copy[position] ^ bits);
  return status;
}

uint32_t Word(const uint8_t* bytes, size_t count) {
  uint32_t word = 0;
  for (size_t i = count; i-- > 0;) word = word << 8 | bytes[i];
  return word;
}

void CheckFlippedBits() {
  Copy(copies[0]);
  const uint8_t* model = copies[0];
  const uint32_t table = Word(model, 4);
  const uint32_t vtable = table - Word(model + table, 4);
  const uint32_t version = table + Word(model + vtable + 4, 2);

  Check("flipped bit in the root offset", Flipped(3, 0x80) == Status::kRootOutOfBounds);
  Check("flipped bit in the root's vtable offset", Flipped(table + 3, 0x40) == Status::kRootOutOfBounds);
  bool is_found = true;
  for (size_t i = 4; i < 8; ++i) is_found = is_found && Flipped(i, 0x01) == Status::kWrongIdentifier;
  Check("flipped bits in the identifier", is_found);
  for (size_t i = 0; i < 4; ++i) is_found = is_found && Flipped(version + i, 0x10) == Status::kWrongSchemaVersion;
  Check("flipped bits in the schema version", is_found);
  Check("flipped bit in the last byte", Flipped(kModelBytes - 1, 0x80) == Status::kCrcMismatch);

  is_found = true;
  for (uint32_t part = 1; part < 32; ++part) {
    const uint32_t position = kModelBytes / 32u * part;
    const bool is_header = position < 8 || position - vtable < 6 || position - table < 4 || position - version < 4;
    const uint8_t bit = static_cast<uint8_t>(1u << part % 8);
    is_found = is_found && (is_header || Flipped(position, bit) == Status::kCrcMismatch);
  }
  Check("flipped bits across the model", is_found);
  Check("copy after all flips are undone", VerifyModel(copies[0], kModelBytes) == Status::kOk);
}

void CheckRefusals() {
  Check("null pointer", VerifyModel(nullptr, kModelBytes) == Status::kNoModel);
  Check("wrong length", VerifyModel({{ symbol }}, kModelBytes - 1) == Status::kWrongLength &&
                            VerifyModel({{ symbol }}, kModelBytes + 1) == Status::kWrongLength);
  Copy(copies[1] + 1);
  Check("misaligned copy", VerifyModel(copies[1] + 1, kModelBytes) == Status::kMisaligned);
}

void CheckRepair() {
  for (uint8_t* copy : copies) Copy(copy);
  const size_t damaged = checks::Damage(copies, kModelBytes);
  const size_t corrected = RepairByMajority(copies[0], copies[1], copies[2], kModelBytes);
  Check("majority repair of three damaged copies", IsModel(copies[0]) && IsModel(copies[1]) && IsModel(copies[2]));
  Check("majority repair counts bytes", corrected == damaged);
  Check("majority repair leaves intact copies unchanged",
        RepairByMajority(copies[0], copies[1], copies[2], kModelBytes) == 0);
}

// The verdict of a complete round in steps of `bytes`; kInProgress if the verdict comes too early or not at all.
Verdict Round(Scrubber* scrubber, size_t bytes) {
  for (size_t left = kModelBytes; left > bytes; left -= bytes) {
    if (scrubber->ScrubStep(bytes) != Verdict::kInProgress) return Verdict::kInProgress;
  }
  return scrubber->ScrubStep(bytes);
}

void CheckScrubber(const char* name, size_t bytes) {
  Copy(copies[0]);
  Scrubber scrubber(copies[0]);
  bool is_right = Round(&scrubber, bytes) == Verdict::kIntact;
  const size_t positions[] = {0, kModelBytes / 2, kModelBytes - 1};
  for (const size_t position : positions) {
    copies[0][position] = static_cast<uint8_t>(copies[0][position] ^ 0x04);
    is_right = is_right && Round(&scrubber, bytes) == Verdict::kCorrupt;
    copies[0][position] = static_cast<uint8_t>(copies[0][position] ^ 0x04);
    is_right = is_right && Round(&scrubber, bytes) == Verdict::kIntact;
  }
  Check(name, is_right);
}

void CheckGoldenVectors() {
  const uint8_t* inputs = reinterpret_cast<const uint8_t*>(kGoldenInputs);
  const uint8_t* outputs = reinterpret_cast<const uint8_t*>(kGoldenOutputs);
  const uint32_t crc = Crc32(inputs, sizeof(kGoldenInputs), 0);
  Check("golden vectors' CRC-32", Crc32(outputs, sizeof(kGoldenOutputs), crc) == kGoldenCrc32);
}

}  // namespace

int main() {
  static const uint8_t kDigits[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  Check("CRC-32 of 123456789", Crc32(kDigits, sizeof(kDigits), 0) == 0xcbf43926u);  // the published check value
  Check("array's length", {{ symbol }}_size == kModelBytes);
  Check("array's CRC-32", Crc32({{ symbol }}, {{ symbol }}_size, 0) == kModelCrc32);
  Check("array's alignment", reinterpret_cast<uintptr_t>({{ symbol }}) % 16 == 0);
  Check("array in flash", checks::IsInFlash({{ symbol }}, kModelBytes));
  const bool is_intact = VerifyModel({{ symbol }}, {{ symbol }}_size) == Status::kOk;
  Check("VerifyModel of the array", is_intact);
  CheckGoldenVectors();
  if (is_intact) {  // otherwise there is no intact model to damage or to compare with
    CheckFlippedBits();
    CheckRefusals();
    CheckRepair();
    CheckScrubber("scrubbing in steps of 1", 1);
    CheckScrubber("scrubbing in steps of 7", 7);
    CheckScrubber("scrubbing in steps of 256", 256);
    CheckScrubber("scrubbing in one step", kModelBytes);
  }
  return checks::has_failed ? 1 : 0;
}
