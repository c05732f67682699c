uint32_t satkd_crc32(const void *data, size_t length, uint32_t seed) {
  static const uint32_t nibbles[16] = {
      0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
      0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
  };
  /* A compiler that sees the constants' definition may answer from what it compiled instead of from memory. */
  const volatile uint8_t *bytes = (const volatile uint8_t *)data;
  uint32_t crc = ~seed;
  for (size_t i = 0; i < length; ++i) {
    crc ^= bytes[i];
    crc = (crc >> 4) ^ nibbles[crc & 15u];
    crc = (crc >> 4) ^ nibbles[crc & 15u];
  }
  return ~crc;
}

int satkd_verify(void) {
  return satkd_crc32(&satkd_constants, SATKD_CONSTANTS_BYTES, 0) == SATKD_CONSTANTS_CRC32 ? SATKD_OK : SATKD_CORRUPT;
}

int satkd_scrub_step(satkd_scrubber *scrubber, uint32_t bytes) {
  if (scrubber == NULL) return SATKD_NULL_POINTER;
  if (scrubber->position >= SATKD_CONSTANTS_BYTES) { /* only an upset gets here; it must not read past the end */
    scrubber->position = 0;
    scrubber->crc = 0;
  }
  const uint32_t left = SATKD_CONSTANTS_BYTES - scrubber->position;
  const uint32_t piece = bytes < left ? bytes : left;
  scrubber->crc = satkd_crc32((const uint8_t *)&satkd_constants + scrubber->position, piece, scrubber->crc);
  scrubber->position += piece;
  if (scrubber->position < SATKD_CONSTANTS_BYTES) return SATKD_IN_PROGRESS;
  const int is_intact = scrubber->crc == SATKD_CONSTANTS_CRC32;
  scrubber->position = 0;
  scrubber->crc = 0;
  return is_intact ? SATKD_OK : SATKD_CORRUPT;
}

const void *satkd_constants_start(void) { return &satkd_constants; }

static uint32_t satkd_correct(uint8_t *byte, uint8_t majority) {
  if (*byte == majority) return 0;
  *byte = majority;
  return 1;
}

uint32_t satkd_repair_by_majority(uint8_t *a, uint8_t *b, uint8_t *c, uint32_t length) {
  uint32_t corrected = 0;
  for (uint32_t i = 0; i < length; ++i) {
    const uint8_t majority = (uint8_t)((a[i] & b[i]) | (b[i] & c[i]) | (c[i] & a[i]));
    corrected += satkd_correct(a + i, majority) + satkd_correct(b + i, majority) + satkd_correct(c + i, majority);
  }
  return corrected;
}
