/* Requantization and additions for cores with the DSP extension, for satkd_engine_dsp.h. */
#ifndef SATKD_ENGINE_DSP_ADD_H
#define SATKD_ENGINE_DSP_ADD_H

#include "satkd_engine_portable.h"

#define SATKD_SHARED static __attribute__((noinline, unused))
#define SATKD_INLINE static inline __attribute__((always_inline, unused))

/* (2 * value * multiplier + 2^31) >> 32, plus `addend`: satkd_high_product for -2^30 <= value < 2^30; `doubled` is twice the
   value. */
SATKD_INLINE int32_t satkd_scale(int32_t doubled, int32_t multiplier, int32_t addend) {
  int32_t result;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(doubled), "r"(multiplier), "r"(addend));
  return result;
}

/* satkd_requantize for -2^30 <= value < 2^30 and right shifts of 1 to 22. The addend is half of what the shift takes away,
   and what is to be added to the result, shifted left. One less is added where the value is negative, so that halves go away
   from zero. */
SATKD_INLINE int32_t satkd_requantize_right(int32_t value, int32_t multiplier, int32_t addend, uint32_t right) {
  const int32_t doubled = (int32_t)((uint32_t)value << 1u);
  return satkd_add(satkd_scale(doubled, multiplier, addend), value >> 31u) >> right;
}

SATKD_INLINE int32_t satkd_addend(int32_t zero_point, uint32_t right) {
  return (int32_t)(((uint32_t)zero_point << right) + ((uint32_t)1 << (right - 1u)));
}

SATKD_INLINE int8_t satkd_saturate(int32_t value) {
  int32_t result;
  __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
  return (int8_t)result;
}

/* A term of satkd_add_row, as its multiplier is a half or less. */
typedef struct satkd_term {
  int32_t zero_point; /* shifted as the code will be */
  int32_t multiplier;
  int32_t half;
  uint32_t right;
} satkd_term;

/* The sum of two terms. */
typedef struct satkd_sum {
  satkd_term half_term;
  satkd_term other_term;
  satkd_term result;
  bool other_is_half;
} satkd_sum;

/* Twice a term. */
SATKD_INLINE int32_t satkd_half_term(int32_t code, satkd_term term) {
  return (code * ((int32_t)1 << 20)) - term.zero_point;
}

SATKD_INLINE int32_t satkd_small_term(int32_t code, satkd_term term) {
  const int32_t doubled = (code * ((int32_t)1 << 21)) - term.zero_point;
  return ((satkd_scale(doubled, term.multiplier, term.half) + (doubled >> 31u)) >> term.right) * 2;
}

SATKD_INLINE int32_t satkd_sum_of(int8_t half, int8_t other, satkd_sum sum) {
  const int32_t scaled =
      sum.other_is_half ? satkd_half_term(other, sum.other_term) : satkd_small_term(other, sum.other_term);
  const int32_t doubled = satkd_half_term(half, sum.half_term) + scaled;
  return (satkd_scale(doubled, sum.result.multiplier, sum.result.half) + (doubled >> 31u)) >> sum.result.right;
}

SATKD_INLINE int8_t satkd_output_of(int32_t value, const satkd_engine_layer *narrow) {
  return (narrow == NULL) ? satkd_saturate(value) : satkd_clamp(value, narrow->lowest, narrow->highest);
}

SATKD_INLINE void satkd_add_halves(const int8_t *half, const int8_t *other, int8_t *out, int32_t count, satkd_sum sum,
                                   const satkd_engine_layer *narrow) {
  int32_t i = 0;
  for (; i < (count - 3); i += 4) {
    uint32_t a;
    uint32_t b;
    __builtin_memcpy(&a, half + i, 4);
    __builtin_memcpy(&b, other + i, 4);
    out[i] = satkd_output_of(satkd_sum_of((int8_t)a, (int8_t)b, sum), narrow);
    out[i + 1] = satkd_output_of(satkd_sum_of((int8_t)(a >> 8u), (int8_t)(b >> 8u), sum), narrow);
    out[i + 2] = satkd_output_of(satkd_sum_of((int8_t)(a >> 16u), (int8_t)(b >> 16u), sum), narrow);
    out[i + 3] = satkd_output_of(satkd_sum_of((int8_t)(a >> 24u), (int8_t)(b >> 24u), sum), narrow);
  }
  for (; i < count; ++i) {
    out[i] = satkd_output_of(satkd_sum_of(half[i], other[i], sum), narrow);
  }
}

SATKD_INLINE bool satkd_is_half(satkd_engine_scale scale) {
  return (scale.shift == 0) && (scale.multiplier == ((int32_t)1 << 30));
}

/* reference/integer_ops/add.h; `out` may be `a` or `b`. One of both multipliers is a half, because TensorFlow Lite divides by
   twice the larger scale; the output's zero point is added before its shift. */
void satkd_add_row(const satkd_engine_layer *layer, const int8_t *a, const int8_t *b, int8_t *out) {
  const bool a_is_half = satkd_is_half(layer->scale_in);
  const satkd_engine_scale other = a_is_half ? layer->scale_other : layer->scale_in;
  const bool other_is_half = satkd_is_half(other);
  const int32_t right = -layer->scale_out.shift;
  if ((!a_is_half && !satkd_is_half(layer->scale_other)) || (right < 1) || (right > 22) ||
      (!other_is_half && ((other.shift > -1) || (other.shift < -30)))) {
    satkd_add_row_portable(layer, a, b, out);
  } else {
    const int32_t half_zero_point = a_is_half ? layer->zero_point_in : layer->zero_point_other;
    const int32_t other_zero_point = a_is_half ? layer->zero_point_other : layer->zero_point_in;
    const int8_t *half = a_is_half ? a : b;
    const int8_t *second = a_is_half ? b : a;
    const int32_t count = layer->width_out * layer->channels_out;
    satkd_term half_term = {half_zero_point * ((int32_t)1 << 20), 0, 0, 0};
    satkd_term other_term = {other_zero_point * ((int32_t)1 << 20), 0, 0, 0};
    satkd_term result = {0, layer->scale_out.multiplier, satkd_addend(layer->zero_point_out, (uint32_t)right), (uint32_t)right};
    if (!other_is_half) {
      other_term.zero_point = other_zero_point * ((int32_t)1 << 21);
      other_term.multiplier = other.multiplier;
      other_term.half = (int32_t)((uint32_t)1 << ((uint32_t)(-other.shift) - 1u));
      other_term.right = (uint32_t)(-other.shift);
    }
    const satkd_sum sum = {half_term, other_term, result, false};
    const satkd_sum sum_of_halves = {half_term, other_term, result, true};
    if (other_is_half) {
      satkd_add_halves(half, second, out, count, sum_of_halves, layer);
    } else if ((layer->lowest != -128) || (layer->highest != 127)) {
      satkd_add_halves(half, second, out, count, sum, layer);
    } else {
      satkd_add_halves(half, second, out, count, sum, NULL);
    }
  }
}

#endif /* SATKD_ENGINE_DSP_ADD_H */
