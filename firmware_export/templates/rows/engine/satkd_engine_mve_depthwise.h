/* Depthwise convolutions for Helium, for satkd_engine_mve.h: four channels of two pixels at a time. */
#ifndef SATKD_ENGINE_MVE_DEPTHWISE_H
#define SATKD_ENGINE_MVE_DEPTHWISE_H

#include "satkd_engine_mve_add.h"

/* The codes of four sums; shifts are to the right. */
SATKD_INLINE int32x4_t satkd_codes(int32x4_t sums, int32x4_t multipliers, int32x4_t shifts, const satkd_engine_layer *layer) {
  const int32x4_t scaled = vqrdmulhq_s32(sums, multipliers);
  const int32x4_t rounded = vrshlq_s32(vqaddq_s32(scaled, vshrq_n_s32(scaled, 31)), shifts);
  const int32x4_t codes = vqaddq_n_s32(rounded, layer->zero_point_out);
  return vmaxq_s32(vminq_s32(codes, vdupq_n_s32(layer->highest)), vdupq_n_s32(layer->lowest));
}

/* reference/integer_ops/depthwise_conv.h */
void satkd_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                         int8_t *out) {
  const int32_t count = layer->channels_out;
  if ((layer->has_right_shifts == 0u) || (layer->channels_in != count)) {
    satkd_depthwise_row_portable(layer, constants, window, out);
    return;
  }
  for (int32_t c = 0; c < count; c += 4) {
    const mve_pred16_t some = vctp32q((uint32_t)(count - c));
    const int32x4_t bias = vldrwq_z_s32(&constants->bias[c], some);
    const int32x4_t multipliers = vldrwq_z_s32(&constants->multipliers[c], some);
    const int32x4_t shifts = vldrbq_z_s32(&constants->shifts[c], some);
    for (int32_t x = 0; x < layer->width_out; x += 2) {
      const bool is_alone = (x + 1) == layer->width_out; /* then the pixel is computed twice */
      const int32_t between = is_alone ? 0 : (layer->stride_width * count);
      int32x4_t first = bias;
      int32x4_t second = bias;
      const int8_t *weights = &constants->weights[c];
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        const int8_t *in = satkd_row(window, y) + (x * layer->stride_width * count) + c;
        for (int32_t i = 0; i < layer->kernel_width; ++i) {
          const int32x4_t factors = vldrbq_z_s32(weights, some);
          first = vaddq_s32(first, vmulq_s32(vldrbq_z_s32(in, some), factors));
          second = vaddq_s32(second, vmulq_s32(vldrbq_z_s32(in + between, some), factors));
          in += count;
          weights += count;
        }
      }
      vstrbq_p_s32(&out[(x * count) + c], satkd_codes(first, multipliers, shifts, layer), some);
      if (!is_alone) {
        vstrbq_p_s32(&out[((x + 1) * count) + c], satkd_codes(second, multipliers, shifts, layer), some);
      }
    }
  }
}

#endif /* SATKD_ENGINE_MVE_DEPTHWISE_H */
