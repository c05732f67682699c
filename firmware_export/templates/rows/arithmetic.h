/* What every kernel uses. The kernels take a layer's constants as arguments and are inlined where a layer is worked,
   with literals, so that the compiler makes each of them for its layer. */

#if defined(__GNUC__)
#define SATKD_KERNEL static inline __attribute__((always_inline, unused))
#else
#define SATKD_KERNEL static inline
#endif

/* (a * b) / 2^31 to nearest: gemmlowp's SaturatingRoundingDoublingHighMul, for factors that are not both -2^31. A right
   shift keeps the sign with every compiler that the firmware is built by. */
SATKD_KERNEL int32_t satkd_high_product(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^exponent to nearest, half away from zero: gemmlowp's RoundingDivideByPOT. */
SATKD_KERNEL int32_t satkd_divide_by_power_of_two(int32_t x, int exponent) {
  const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
  return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0);
}

/* TensorFlow Lite Micro's MultiplyByQuantizedMultiplier with double rounding (kernels/internal/common.cc). */
SATKD_KERNEL int32_t satkd_requantize(int32_t x, int32_t multiplier, int shift) {
  const int32_t shifted = shift > 0 ? (int32_t)((uint32_t)x << shift) : x;
  return satkd_divide_by_power_of_two(satkd_high_product(shifted, multiplier), shift > 0 ? 0 : -shift);
}

SATKD_KERNEL int8_t satkd_clamp(int32_t x, int32_t lowest, int32_t highest) {
  return (int8_t)(x < lowest ? lowest : x > highest ? highest : x);
}

/* Where `count` rows from `first` on lie in a ring; `outside` for those above or below the image. */
SATKD_KERNEL void satkd_find_rows(const int8_t **rows, int count, int first, const int8_t *ring, int depth,
                                  int row_bytes, int height, const int8_t *outside) {
  for (int i = 0; i < count; ++i) {
    const int row = first + i;
    rows[i] = row < 0 || row >= height ? outside : ring + row % depth * row_bytes;
  }
}
