/* Additions for Helium, for satkd_engine_mve.h. */
#ifndef SATKD_ENGINE_MVE_ADD_H
#define SATKD_ENGINE_MVE_ADD_H

#include <arm_mve.h>

#include "satkd_engine_portable.h"

#define SATKD_SHARED static __attribute__((noinline, unused))
#define SATKD_INLINE static inline __attribute__((always_inline, unused))

/* TFLM's MultiplyByQuantizedMultiplier (kernels/internal/common.h, double rounding) with a right shift. VRSHL rounds halves up and
   RoundingDivideByPOT away from zero, so that negative values are made less by one first. */
SATKD_INLINE int32x4_t satkd_requantize_all(int32x4_t values, satkd_engine_scale scale) {
  const int32x4_t scaled = vqrdmulhq_n_s32(values, scale.multiplier);
  return vrshlq_n_s32(vqaddq_s32(scaled, vshrq_n_s32(scaled, 31)), scale.shift);
}

/* A term of satkd_add_row for four codes. */
SATKD_INLINE int32x4_t satkd_half_terms(int32x4_t codes, int32_t zero_point) {
  return vmlasq_n_s32(codes, vdupq_n_s32((int32_t)1 << 19), -zero_point * ((int32_t)1 << 19));
}

SATKD_INLINE int32x4_t satkd_small_terms(int32x4_t codes, int32_t zero_point, satkd_engine_scale scale) {
  const int32x4_t terms = vmlasq_n_s32(codes, vdupq_n_s32((int32_t)1 << 20), -zero_point * ((int32_t)1 << 20));
  return satkd_requantize_all(terms, scale);
}

/* Of two addends, one whose multiplier is a half, and another. */
typedef struct satkd_addends {
  const int8_t *half;
  const int8_t *other;
  int32_t half_zero_point;
  int32_t other_zero_point;
  satkd_engine_scale other_scale;
} satkd_addends;

SATKD_INLINE int32x4_t satkd_sum_terms(int32x4_t half, int32x4_t other, satkd_addends addends, bool other_is_half) {
  const int32x4_t scaled = other_is_half ? satkd_half_terms(other, addends.other_zero_point)
                                         : satkd_small_terms(other, addends.other_zero_point, addends.other_scale);
  return vaddq_s32(satkd_half_terms(half, addends.half_zero_point), scaled);
}

SATKD_INLINE void satkd_add_halves(const satkd_engine_layer *layer, satkd_addends addends, bool other_is_half,
                                   int8_t *out) {
  const int32_t count = layer->width_out * layer->channels_out;
  const satkd_engine_scale scale = layer->scale_out;
  const int32_t zero_point = layer->zero_point_out;
  const int32x4_t lowest = vdupq_n_s32(layer->lowest);
  const int32x4_t highest = vdupq_n_s32(layer->highest);
  const int32_t fours = (int32_t)((uint32_t)count & ~(uint32_t)3);
  for (int32_t i = 0; i < fours; i += 4) {
    const int32x4_t sums = satkd_sum_terms(vldrbq_s32(addends.half + i), vldrbq_s32(addends.other + i), addends, other_is_half);
    const int32x4_t values = vaddq_n_s32(satkd_requantize_all(sums, scale), zero_point);
    vstrbq_s32(out + i, vmaxq_s32(vminq_s32(values, highest), lowest));
  }
  if (fours < count) {
    const mve_pred16_t some = vctp32q((uint32_t)(count - fours));
    const int32x4_t sums = satkd_sum_terms(vldrbq_z_s32(addends.half + fours, some),
                                           vldrbq_z_s32(addends.other + fours, some), addends, other_is_half);
    const int32x4_t values = vaddq_n_s32(satkd_requantize_all(sums, scale), zero_point);
    vstrbq_p_s32(out + fours, vmaxq_s32(vminq_s32(values, highest), lowest), some);
  }
}

SATKD_INLINE bool satkd_is_half(satkd_engine_scale scale) {
  return (scale.shift == 0) && (scale.multiplier == ((int32_t)1 << 30));
}

/* reference/integer_ops/add.h; `out` may be `a` or `b`. One of both multipliers is a half, because TensorFlow Lite divides by
   twice the larger scale. */
void satkd_add_row(const satkd_engine_layer *layer, const int8_t *a, const int8_t *b, int8_t *out) {
  const bool a_is_half = satkd_is_half(layer->scale_in);
  const satkd_addends addends = {
      .half = a_is_half ? a : b,
      .other = a_is_half ? b : a,
      .half_zero_point = a_is_half ? layer->zero_point_in : layer->zero_point_other,
      .other_zero_point = a_is_half ? layer->zero_point_other : layer->zero_point_in,
      .other_scale = a_is_half ? layer->scale_other : layer->scale_in,
  };
  const bool other_is_half = satkd_is_half(addends.other_scale);
  if ((!a_is_half && !satkd_is_half(layer->scale_other)) || (!other_is_half && (addends.other_scale.shift >= 0)) ||
      (layer->scale_out.shift >= 0)) {
    satkd_add_row_portable(layer, a, b, out);
  } else if (other_is_half) {
    satkd_add_halves(layer, addends, true, out);
  } else {
    satkd_add_halves(layer, addends, false, out);
  }
}

#endif /* SATKD_ENGINE_MVE_ADD_H */
