/* Depthwise convolutions for Helium, for satkd_engine_mve.h: four channels of two pixels at a time. */
#ifndef SATKD_ENGINE_MVE_DEPTHWISE_H
#define SATKD_ENGINE_MVE_DEPTHWISE_H

#include "satkd_engine_mve_add.h"

/* How sums of four channels become codes; shifts are to the right. */
typedef struct satkd_outputs {
  int32x4_t multipliers;
  int32x4_t shifts;
  int32x4_t lowest;
  int32x4_t highest;
  int32_t zero_point;
} satkd_outputs;

SATKD_INLINE satkd_outputs satkd_outputs_of(const satkd_engine_layer *layer, const satkd_weights *constants, int32_t c) {
  const satkd_outputs outputs = {
      .multipliers = vldrwq_s32(&constants->multipliers[c]),
      .shifts = vldrbq_s32(&constants->shifts[c]),
      .lowest = vdupq_n_s32(layer->lowest),
      .highest = vdupq_n_s32(layer->highest),
      .zero_point = layer->zero_point_out,
  };
  return outputs;
}

SATKD_INLINE void satkd_write_four(int32x4_t sums, const satkd_outputs *outputs, int8_t *out) {
  const int32x4_t scaled = vqrdmulhq_s32(sums, outputs->multipliers);
  const int32x4_t rounded = vrshlq_s32(vqaddq_s32(scaled, vshrq_n_s32(scaled, 31)), outputs->shifts);
  const int32x4_t codes = vqaddq_n_s32(rounded, outputs->zero_point);
  vstrbq_s32(out, vmaxq_s32(vminq_s32(codes, outputs->highest), outputs->lowest));
}

/* The sums of four channels of two pixels. */
typedef struct satkd_two_sums {
  int32x4_t first;
  int32x4_t second;
} satkd_two_sums;

/* A tap of four channels; the second pixel's inputs are `between` bytes behind the first one's. */
SATKD_INLINE void satkd_add_tap(satkd_two_sums *sums, const int8_t *in, int32_t between, const int8_t *weights) {
  const int32x4_t factors = vldrbq_s32(weights);
  sums->first = vaddq_s32(sums->first, vmulq_s32(vldrbq_s32(in), factors));
  sums->second = vaddq_s32(sums->second, vmulq_s32(vldrbq_s32(in + between), factors));
}

/* The same of one input, of which the layer makes all channels. */
SATKD_INLINE void satkd_add_tap_of_one(satkd_two_sums *sums, const int8_t *in, int32_t between, const int8_t *weights) {
  const int32x4_t factors = vldrbq_s32(weights);
  sums->first = vmlaq_n_s32(sums->first, factors, in[0]);
  sums->second = vmlaq_n_s32(sums->second, factors, in[between]);
}

/* A kernel row of three taps by four channels. */
typedef struct satkd_three_taps {
  const int8_t *in;
  int8_t weights[12];
} satkd_three_taps;

/* The state of the assembly. */
typedef struct satkd_nine {
  int32_t bias[4];
  satkd_three_taps rows[3];
  int32_t shifts[4];
  int32_t between; /* bytes of inputs from a pixel to the other of a pair */
  int32_t pair_bytes; /* from a pair to the next one */
  int32_t out_between; /* the same of outputs */
  int32_t out_pair_bytes;
  int32_t count; /* bytes from a tap to the next */
  int32_t zero_point;
} satkd_nine;
typedef char satkd_zero_point_is_at_100[(offsetof(satkd_nine, zero_point) == 100u) ? 1 : -1];

/* The sums of two pixels are in q0 and q1. */
#define SATKD_TAP                   \
  "vldrb.s32 q2, [r0], #4\n\t"      \
  "vldrb.s32 q3, [r3]\n\t"          \
  "vldrb.s32 q4, [r4]\n\t"          \
  "add r3, r3, r5\n\t"              \
  "add r4, r4, r5\n\t"              \
  "vmul.i32 q3, q3, q2\n\t"         \
  "vmul.i32 q4, q4, q2\n\t"         \
  "vadd.i32 q0, q0, q3\n\t"         \
  "vadd.i32 q1, q1, q4\n\t"
#define SATKD_THREE_TAPS                                      \
  "ldr r3, [r0], #4\n\t"                                      \
  "add r3, r3, r1\n\t"                                        \
  "add r4, r3, r6\n\t" SATKD_TAP SATKD_TAP SATKD_TAP
/* As satkd_write_four. */
#define SATKD_CODES(sums, sign)                \
  "vqrdmulh.s32 " sums ", " sums ", q7\n\t"    \
  "vshr.s32 " sign ", " sums ", #31\n\t"       \
  "vqadd.s32 " sums ", " sums ", " sign "\n\t" \
  "vrshl.s32 " sums ", " sums ", q2\n\t"       \
  "vqadd.s32 " sums ", " sums ", r12\n\t"      \
  "vmin.s32 " sums ", " sums ", q6\n\t"        \
  "vmax.s32 " sums ", " sums ", q5\n\t"

/* Four channels of `pairs` pairs of pixels, whose inputs are from `start` on. */
SATKD_INLINE void satkd_nine_taps(const satkd_nine *nine, const satkd_outputs *outputs, int32_t start, int32_t pairs, int8_t *out) {
  register const satkd_nine *r0 __asm__("r0") = nine;
  register int32_t r1 __asm__("r1") = start;
  register int8_t *r2 __asm__("r2") = out;
  register int32_t r8 __asm__("r8") = pairs;
  register int32x4_t q5 __asm__("q5") = outputs->lowest;
  register int32x4_t q6 __asm__("q6") = outputs->highest;
  register int32x4_t q7 __asm__("q7") = outputs->multipliers;
  __asm__ volatile(
      "ldrd r6, r9, [r0, #80]\n\t"
      "ldrd r10, r11, [r0, #88]\n\t"
      "ldrd r5, r12, [r0, #96]\n\t"
      "1:\n\t"
      "vldrw.32 q0, [r0], #16\n\t"
      "vmov q1, q0\n\t" SATKD_THREE_TAPS SATKD_THREE_TAPS SATKD_THREE_TAPS
      "vldrw.32 q2, [r0]\n\t"
      "sub r0, r0, #64\n\t" SATKD_CODES("q0", "q3") SATKD_CODES("q1", "q4")
      "vstrb.32 q0, [r2]\n\t"
      "add r3, r2, r10\n\t"
      "vstrb.32 q1, [r3]\n\t"
      "add r1, r1, r9\n\t"
      "add r2, r2, r11\n\t"
      "subs r8, r8, #1\n\t"
      "bne 1b\n\t"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r8)
      : "w"(q5), "w"(q6), "w"(q7)
      : "r3", "r4", "r5", "r6", "r9", "r10", "r11", "r12", "q0", "q1", "q2", "q3", "q4", "cc", "memory");
}

/* Four channels of a row of outputs of a 3x3 kernel, from `c` on. */
SATKD_SHARED void satkd_depthwise_nine(const satkd_engine_layer *layer, const satkd_weights *constants,
                                       const satkd_window *window, int32_t c, int8_t *out) {
  const int32_t count = layer->channels_out;
  const int32_t pixel_bytes = layer->stride_width * count;
  const int32_t pairs = layer->width_out / 2;
  const satkd_outputs outputs = satkd_outputs_of(layer, constants, c);
  const int8_t *weights = constants->weights + c;
  satkd_nine nine; /* no initializer, which would be a call of memset */
  nine.between = pixel_bytes;
  nine.pair_bytes = 2 * pixel_bytes;
  nine.out_between = count;
  nine.out_pair_bytes = 2 * count;
  nine.count = count;
  nine.zero_point = outputs.zero_point;
  vstrwq_s32(nine.bias, vldrwq_s32(&constants->bias[c]));
  vstrwq_s32(nine.shifts, outputs.shifts);
  for (int32_t y = 0; y < 3; ++y) {
    nine.rows[y].in = window->rows[y];
    for (int32_t i = 0; i < 12; i += 4) {
      __builtin_memcpy(&nine.rows[y].weights[i], weights, 4);
      weights += count;
    }
  }
  if (pairs != 0) {
    satkd_nine_taps(&nine, &outputs, c, pairs, out + c);
  }
  if ((layer->width_out % 2) != 0) { /* the last pixel is computed twice */
    nine.between = 0;
    nine.out_between = 0;
    satkd_nine_taps(&nine, &outputs, c + (pairs * nine.pair_bytes), 1, out + c + (pairs * nine.out_pair_bytes));
  }
}

/* The same with any kernel. */
SATKD_SHARED void satkd_depthwise_any(const satkd_engine_layer *layer, const satkd_weights *constants,
                                      const satkd_window *window, int32_t c, int8_t *out) {
  const int32_t count = layer->channels_out;
  const bool is_one = layer->channels_in == 1;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  const satkd_outputs outputs = satkd_outputs_of(layer, constants, c);
  int32_t start = is_one ? 0 : c;
  for (int32_t x = 0; x < layer->width_out; x += 2) {
    const bool is_alone = (x + 1) == layer->width_out;
    const int32_t between = is_alone ? 0 : pixel_bytes;
    const int8_t *weights = constants->weights + c;
    int8_t *const to = out + (x * count) + c;
    const int32x4_t bias = vldrwq_s32(&constants->bias[c]);
    satkd_two_sums sums = {bias, bias};
    for (int32_t y = 0; y < layer->kernel_height; ++y) {
      const int8_t *in = satkd_row(window, y) + start;
      if (is_one) {
        for (int32_t i = 0; i < layer->kernel_width; ++i) {
          satkd_add_tap_of_one(&sums, in + i, between, weights + (i * count));
        }
      } else {
        for (int32_t i = 0; i < layer->kernel_width; ++i) {
          satkd_add_tap(&sums, in + (i * count), between, weights + (i * count));
        }
      }
      weights += layer->kernel_width * count;
    }
    start += 2 * pixel_bytes;
    satkd_write_four(sums.first, &outputs, to);
    satkd_write_four(sums.second, &outputs, is_alone ? to : (to + count));
  }
}

/* reference/integer_ops/depthwise_conv.h */
void satkd_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                         int8_t *out) {
  const int32_t count = layer->channels_out;
  const bool has_inputs = (layer->channels_in == count) || (layer->channels_in == 1);
  if ((layer->has_right_shifts == 0u) || !has_inputs || (count < 4)) {
    satkd_depthwise_row_portable(layer, constants, window, out);
    return;
  }
  for (int32_t next = 0; next < count; next += 4) {
    /* The last four channels may overlap those before. */
    const int32_t c = ((next + 4) > count) ? (count - 4) : next;
    if ((layer->kernel_height == 3) && (layer->kernel_width == 3) && (layer->channels_in == count)) {
      satkd_depthwise_nine(layer, constants, window, c, out);
    } else {
      satkd_depthwise_any(layer, constants, window, c, out);
    }
  }
}

#endif /* SATKD_ENGINE_MVE_DEPTHWISE_H */
