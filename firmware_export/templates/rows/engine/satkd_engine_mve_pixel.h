/* Convolutions with one pixel a row for Helium, for satkd_engine_mve.h: dense layers above all. */
#ifndef SATKD_ENGINE_MVE_PIXEL_H
#define SATKD_ENGINE_MVE_PIXEL_H

#include "satkd_engine_mve_depthwise.h"

/* satkd_requantize of four channels, with any shifts. */
SATKD_INLINE int32x4_t satkd_requantize_four(int32x4_t sums, int32x4_t multipliers, int32x4_t shifts) {
  const int32x4_t zeros = vdupq_n_s32(0);
  const int32x4_t rights = vminq_s32(shifts, zeros);
  const int32x4_t scaled = vqrdmulhq_s32(vshlq_s32(sums, vmaxq_s32(shifts, zeros)), multipliers);
  return vrshlq_s32(vqaddq_s32(scaled, vshrq_n_s32(vandq_s32(scaled, rights), 31)), rights);
}

/* Sixteen weights of a channel, or the rest of a kernel row, by the inputs in q0. */
#define SATKD_CHANNEL(vector, weights, sum) \
  "vldrb.8 " vector ", [" weights "], #16\n\tvmladava.s8 " sum ", q0, " vector "\n\t"

/* Four channels of the only pixel. from: the inputs, which are found here, and the weights of each; these may be the same. */
SATKD_INLINE int32x4_t satkd_sum_four(const int8_t *const *rows, int32_t kernel_height, int32_t row_bytes, const int8_t **from) {
  /* VMLADAVA takes even registers. */
  register int32_t r0 __asm__("r0") = 0;
  register int32_t r2 __asm__("r2") = 0;
  register int32_t r4 __asm__("r4") = 0;
  register int32_t r6 __asm__("r6") = 0;
  for (int32_t y = 0; y < kernel_height; ++y) {
    from[0] = rows[y];
    __asm__ volatile(
        "ldmia %[from], {r3, r5, r8, r10, r12}\n\t"
        "dlstp.8 lr, %[count]\n"
        "1:\n\t"
        "vldrb.8 q0, [r3], #16\n\t"
        SATKD_CHANNEL("q1", "r5", "%[r0]") SATKD_CHANNEL("q2", "r8", "%[r2]")
        SATKD_CHANNEL("q3", "r10", "%[r4]") SATKD_CHANNEL("q1", "r12", "%[r6]")
        "letp lr, 1b\n\t"
        : [r0] "+r"(r0), [r2] "+r"(r2), [r4] "+r"(r4), [r6] "+r"(r6)
        : [from] "r"(from), [count] "r"(row_bytes)
        : "r3", "r5", "r8", "r10", "r12", "q0", "q1", "q2", "q3", "lr", "memory");
    for (int32_t i = 1; i < 5; ++i) {
      from[i] += row_bytes;
    }
  }
  const int32_t sums[4] = {r0, r2, r4, r6};
  return vldrwq_s32(sums);
}

/* A row of outputs with one pixel. No other shares its inputs, which are read where they are. */
SATKD_SHARED void satkd_conv_pixel(const satkd_engine_layer *layer, const satkd_weights *constants, const int8_t *const *rows,
                                   int8_t *out) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t depth = layer->kernel_height * row_bytes;
  for (int32_t c = 0; c < layer->channels_out; c += 4) {
    const int32_t left = layer->channels_out - c;
    const mve_pred16_t some = vctp32q((uint32_t)left);
    const int8_t *from[5] = {NULL};
    for (int32_t i = 0; i < 4; ++i) {
      from[i + 1] = constants->weights + ((c + ((i < left) ? i : 0)) * depth);
    }
    const int32x4_t sums = vaddq_s32(satkd_sum_four(rows, layer->kernel_height, row_bytes, from),
                                     vldrwq_z_s32(constants->bias + c, some));
    const int32x4_t scaled = satkd_requantize_four(sums, vldrwq_z_s32(constants->multipliers + c, some),
                                                   vldrbq_z_s32(constants->shifts + c, some));
    const int32x4_t codes = vqaddq_n_s32(scaled, layer->zero_point_out);
    vstrbq_p_s32(out + c, vmaxq_s32(vminq_s32(codes, vdupq_n_s32(layer->highest)), vdupq_n_s32(layer->lowest)), some);
  }
}

#endif /* SATKD_ENGINE_MVE_PIXEL_H */
