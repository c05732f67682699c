// Checks an exported row engine on the part itself: prints one line per check, exit code 1 if any check failed.
{% set upper = prefix | upper %}
#include <stddef.h>
#include <stdint.h>

#include "checks.h"
#include "{{ prefix }}_golden.h"

namespace {

using checks::Check;

{{ prefix }}_context context;
uint8_t copies[3][{{ upper }}_CONSTANTS_BYTES];
int8_t outputs[{{ upper }}_OUTPUTS];

const uint8_t* Constants() { return static_cast<const uint8_t*>({{ prefix }}_constants_start()); }

void Copy(uint8_t* to) {
  for (size_t i = 0; i < {{ upper }}_CONSTANTS_BYTES; ++i) to[i] = Constants()[i];
}

bool IsOriginal(const uint8_t* copy) {
  for (size_t i = 0; i < {{ upper }}_CONSTANTS_BYTES; ++i) {
    if (copy[i] != Constants()[i]) return false;
  }
  return true;
}

bool IsRight(const uint8_t* copy) {
  return satkd_crc32(copy, {{ upper }}_CONSTANTS_BYTES, 0) == {{ upper }}_CONSTANTS_CRC32;
}

void CheckFlippedBits() {
  uint8_t* copy = copies[0];
  Copy(copy);
  bool is_found = true;
  for (uint32_t part = 0; part < 32; ++part) {
    const size_t position = ({{ upper }}_CONSTANTS_BYTES - 1) / 31u * part;
    const uint8_t bit = static_cast<uint8_t>(1u << part % 8);
    copy[position] = static_cast<uint8_t>(copy[position] ^ bit);
    is_found = is_found && !IsRight(copy);
    copy[position] = static_cast<uint8_t>(copy[position] ^ bit);
  }
  Check("flipped bits across the constants", is_found);
  Check("copy after all flips are undone", IsRight(copy));
}

void CheckRepair() {
  for (uint8_t* copy : copies) Copy(copy);
  const size_t damaged = checks::Damage(copies, {{ upper }}_CONSTANTS_BYTES);
  const uint32_t corrected =
      satkd_repair_by_majority(copies[0], copies[1], copies[2], {{ upper }}_CONSTANTS_BYTES);
  bool is_whole = true;
  for (const uint8_t* copy : copies) is_whole = is_whole && IsOriginal(copy) && IsRight(copy);
  Check("majority repair of three damaged copies", is_whole);
  Check("majority repair counts bytes", corrected == damaged);
  Check("majority repair leaves intact copies unchanged",
        satkd_repair_by_majority(copies[0], copies[1], copies[2], {{ upper }}_CONSTANTS_BYTES) == 0);
}

// The verdict of a complete round in steps of `bytes`; -1 if the verdict comes too early.
int Round(satkd_scrubber* scrubber, uint32_t bytes) {
  for (uint32_t left = {{ upper }}_CONSTANTS_BYTES; left > bytes; left -= bytes) {
    if ({{ prefix }}_scrub_step(scrubber, bytes) != SATKD_IN_PROGRESS) return -1;
  }
  return {{ prefix }}_scrub_step(scrubber, bytes);
}

void CheckScrubbing(const char* name, uint32_t bytes) {
  satkd_scrubber scrubber = {};
  bool is_right = Round(&scrubber, bytes) == SATKD_OK;
  scrubber.crc ^= 0x10u;  // an upset spoils this round only
  is_right = is_right && Round(&scrubber, bytes) == SATKD_CORRUPT;
  is_right = is_right && Round(&scrubber, bytes) == SATKD_OK;
  Check(name, is_right);
}

// Runs a golden vector row by row, whatever the context contained. Returns whether every status and output is correct.
bool ByRows(int vector) {
  bool is_right = {{ prefix }}_begin(&context, sizeof(context)) == SATKD_OK;
  for (int row = 0; row < {{ upper }}_ROWS; ++row) {
    is_right = is_right && {{ prefix }}_finish(&context, outputs) == SATKD_TOO_FEW_ROWS;
    is_right = is_right && {{ prefix }}_push_row(&context, {{ prefix }}_golden_inputs[vector] +
                                                              row * {{ upper }}_ROW_BYTES) == SATKD_OK;
  }
  is_right = is_right && {{ prefix }}_push_row(&context, {{ prefix }}_golden_inputs[vector]) == SATKD_TOO_MANY_ROWS;
  is_right = is_right && {{ prefix }}_finish(&context, outputs) == SATKD_OK;
  is_right = is_right && {{ prefix }}_finish(&context, outputs) == SATKD_NOT_BEGUN;
  for (int i = 0; i < {{ upper }}_OUTPUTS; ++i) is_right = is_right && outputs[i] == {{ prefix }}_golden_outputs[vector][i];
  return is_right;
}

void CheckAnswers() {
  Check("outputs for the golden vectors", {{ prefix }}_self_test(&context, sizeof(context)) == SATKD_OK);
  for (size_t i = 0; i < sizeof context; ++i) reinterpret_cast<uint8_t*>(&context)[i] = 0xa5;
  Check("row pushed before begin", {{ prefix }}_push_row(&context, {{ prefix }}_golden_inputs[0]) == SATKD_NOT_BEGUN);
  Check("row by row in a corrupted context", ByRows(0));
  Check("context of another size", {{ prefix }}_begin(&context, sizeof(context) + 4) == SATKD_WRONG_SIZE);
}

// Every bit of the counters at the start of the context, before every row: each flip must be refused.
void CheckUpsets() {
  constexpr uint32_t kLayers = sizeof(context.steps) / sizeof(context.steps[0]) - 1;  // the last may be padding
  constexpr uint32_t kBits = 8 * (sizeof(satkd_engine_state) + 2 * kLayers);
  uint8_t* bytes = reinterpret_cast<uint8_t*>(&context);
  bool is_refused = {{ prefix }}_begin(&context, sizeof(context)) == SATKD_OK;
  for (int row = 0; row < {{ upper }}_ROWS; ++row) {
    const auto* given = {{ prefix }}_golden_inputs[0] + row * {{ upper }}_ROW_BYTES;
    const satkd_engine_state state = context.state;
    for (uint32_t bit = 0; bit < kBits; ++bit) {
      const uint8_t flipped = static_cast<uint8_t>(1u << bit % 8);
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ flipped);
      is_refused = is_refused && {{ prefix }}_push_row(&context, given) != SATKD_OK;
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ flipped);
      context.state = state;
    }
    is_refused = is_refused && {{ prefix }}_push_row(&context, given) == SATKD_OK;
  }
  Check("flipped bits of the counters before every row", is_refused);
}

}  // namespace

int main() {
  static const uint8_t kDigits[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  Check("CRC-32 of 123456789", satkd_crc32(kDigits, sizeof(kDigits), 0) == 0xcbf43926u);  // the published check value
  Check("constants' CRC-32", IsRight(Constants()));
  Check("constants in flash", checks::IsInFlash(Constants(), {{ upper }}_CONSTANTS_BYTES));
  const bool is_intact = {{ prefix }}_verify() == SATKD_OK;
  Check("{{ prefix }}_verify", is_intact);
  if (is_intact) {  // otherwise there are no intact constants to damage or to compare with
    CheckFlippedBits();
    CheckRepair();
    CheckScrubbing("scrubbing in steps of 1", 1);
    CheckScrubbing("scrubbing in steps of 7", 7);
    CheckScrubbing("scrubbing in steps of 256", 256);
    CheckScrubbing("scrubbing in one step", {{ upper }}_CONSTANTS_BYTES);
    CheckAnswers();
    CheckUpsets();
  }
  return checks::has_failed ? 1 : 0;
}
