/* Depthwise convolutions for cores with the DSP extension, for satkd_engine_dsp.h: four channels of a pixel at a time. */
#ifndef SATKD_ENGINE_DSP_DEPTHWISE_H
#define SATKD_ENGINE_DSP_DEPTHWISE_H

#include "satkd_engine_dsp_pixel.h"

/* `taps` taps of a kernel row: an input and a weight of four channels each, `step` bytes from a tap to the next. */
SATKD_INLINE void satkd_add_taps(const int8_t *in, const int8_t *weights, int32_t step, int32_t taps, int32_t *sums) {
  int32_t a0 = sums[0];
  int32_t a1 = sums[1];
  int32_t a2 = sums[2];
  int32_t a3 = sums[3];
  int32_t left = taps;
  int32_t even;
  int32_t odd;
  int32_t w_even;
  int32_t w_odd;
  __asm__ volatile(
      "1:\n\t"
      "ldr %[even], [%[in]]\n\t"
      "ldr %[w_even], [%[weights]]\n\t"
      "add %[in], %[in], %[step]\n\t"
      "sxtb16 %[odd], %[even], ror #8\n\t"
      "sxtb16 %[even], %[even]\n\t"
      "sxtb16 %[w_odd], %[w_even], ror #8\n\t"
      "sxtb16 %[w_even], %[w_even]\n\t"
      "add %[weights], %[weights], %[step]\n\t"
      "smlabb %[a0], %[even], %[w_even], %[a0]\n\t"
      "smlatt %[a2], %[even], %[w_even], %[a2]\n\t"
      "smlabb %[a1], %[odd], %[w_odd], %[a1]\n\t"
      "smlatt %[a3], %[odd], %[w_odd], %[a3]\n\t"
      "subs %[left], %[left], #1\n\t"
      "bne 1b\n\t"
      : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [in] "+r"(in), [weights] "+r"(weights),
        [left] "+r"(left), [even] "=&r"(even), [odd] "=&r"(odd), [w_even] "=&r"(w_even), [w_odd] "=&r"(w_odd)
      : [step] "r"(step)
      : "cc", "memory");
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
}

/* reference/integer_ops/depthwise_conv.h */
void satkd_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                         int8_t *out) {
  const int32_t count = layer->channels_out;
  const satkd_channels channels = satkd_channels_of(layer, constants, 0, 0);
  if ((layer->has_fast_sums == 0u) || (layer->channels_in != count) || (count < 4)) {
    satkd_depthwise_row_portable(layer, constants, window, out);
    return;
  }
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int32_t start = x * layer->stride_width * count;
    for (int32_t next = 0; next < count; next += 4) {
      /* The last four channels may overlap those before. */
      const int32_t c = ((next + 4) > count) ? (count - 4) : next;
      int32_t sums[4] = {constants->bias[c], constants->bias[c + 1], constants->bias[c + 2], constants->bias[c + 3]};
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        satkd_add_taps(satkd_row(window, y) + start + c, constants->weights + (y * layer->kernel_width * count) + c, count,
                       layer->kernel_width, sums);
      }
      for (int32_t i = 0; i < 4; ++i) {
        out[(x * count) + c + i] = satkd_code_of(sums[i], &channels, c + i);
      }
    }
  }
}

#endif /* SATKD_ENGINE_DSP_DEPTHWISE_H */
