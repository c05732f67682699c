/* TensorFlow Lite Micro's arithmetic in C99, for satkd_engine_kernels.c. */
#ifndef SATKD_ENGINE_ARITHMETIC_H
#define SATKD_ENGINE_ARITHMETIC_H

#include <stdint.h>

/* What the engine assumes of a compiler beyond C99, checked here: a false condition is an array of -1 elements. */
typedef char satkd_int_has_32_bits[(sizeof(int) >= 4u) ? 1 : -1];
typedef char satkd_right_shift_keeps_the_sign[(((-5) >> 1) == -3) ? 1 : -1];
typedef char satkd_right_shift_of_64_bits_keeps_the_sign[((((int64_t)-5) >> 1) == -3) ? 1 : -1];
typedef char satkd_conversion_to_signed_wraps[(((int32_t)0xfffffffeu) == -2) ? 1 : -1];

/* a + b modulo 2^32: constants and sums that have lost a bit must not make an expression undefined. */
static inline int32_t satkd_add(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t satkd_subtract(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* (a * b) / 2^31 to nearest: gemmlowp's SaturatingRoundingDoublingHighMul, for factors that are not both -2^31. */
static inline int32_t satkd_high_product(int32_t a, int32_t b) {
  const int64_t product = (int64_t)a * (int64_t)b;
  return (int32_t)((product + 1073741824) >> 31);
}

/* x / 2^exponent to nearest, half away from zero: gemmlowp's RoundingDivideByPOT. The exponent is taken modulo 32. */
static inline int32_t satkd_divide_by_power_of_two(int32_t x, int32_t exponent) {
  const uint32_t places = (uint32_t)exponent & 31u;
  const uint32_t mask = ((uint32_t)1 << places) - 1u;
  const uint32_t threshold = (mask >> 1) + ((x < 0) ? 1u : 0u);
  return satkd_add(x >> places, (((uint32_t)x & mask) > threshold) ? 1 : 0);
}

/* MultiplyByQuantizedMultiplier with double rounding (kernels/internal/common.cc). */
static inline int32_t satkd_requantize(int32_t x, int32_t multiplier, int32_t shift) {
  const uint32_t left = (shift > 0) ? ((uint32_t)shift & 31u) : 0u;
  const int32_t shifted = (int32_t)((uint32_t)x << left);
  return satkd_divide_by_power_of_two(satkd_high_product(shifted, multiplier), (shift > 0) ? 0 : -shift);
}

static inline int8_t satkd_clamp(int32_t x, int32_t lowest, int32_t highest) {
  const int32_t raised = (x < lowest) ? lowest : x;
  return (int8_t)((raised > highest) ? highest : raised);
}

/* x * 2^exponent, saturated: gemmlowp's SaturatingRoundingMultiplyByPOT, for exponents from 0 to 30. */
static inline int32_t satkd_multiply_by_power_of_two(int32_t x, int32_t exponent) {
  const int32_t limit = (int32_t)((uint32_t)INT32_MAX >> (uint32_t)exponent);
  int32_t result = INT32_MAX;
  if (x < -limit) {
    result = INT32_MIN;
  } else if (x <= limit) {
    result = (int32_t)((uint32_t)x << (uint32_t)exponent);
  } else {
    /* INT32_MAX */
  }
  return result;
}

/* 1 / (1 + x) for x from 0 to 1, both in Q0.31: gemmlowp's one_over_one_plus_x_for_x_in_0_1, three steps of Newton's. */
static inline int32_t satkd_reciprocal(int32_t x) {
  const int32_t half_denominator = (int32_t)((((int64_t)x + INT32_MAX) + 1) / 2);
  /* 48/17 and -32/17 in Q2.29 */
  int32_t result = satkd_add(1515870810, satkd_high_product(half_denominator, -1010580540));
  for (int32_t i = 0; i < 3; ++i) {
    const int32_t error = satkd_subtract(536870912, satkd_high_product(half_denominator, result));
    result = satkd_add(result, satkd_multiply_by_power_of_two(satkd_high_product(result, error), 2));
  }
  return satkd_multiply_by_power_of_two(result, 1);
}

#endif /* SATKD_ENGINE_ARITHMETIC_H */
