/* Depthwise convolutions for cores with the DSP extension, for satkd_engine_dsp.h: four channels of a pixel at a time, the pixels
   of a row one after another. */
#ifndef SATKD_ENGINE_DSP_DEPTHWISE_H
#define SATKD_ENGINE_DSP_DEPTHWISE_H

#include "satkd_engine_dsp_pixel.h"

/* How a sum becomes a code. */
typedef struct satkd_scaling {
  int32_t multiplier;
  int32_t addend; /* satkd_addend */
  uint32_t right;
} satkd_scaling;

/* A kernel row of three taps by four channels: weights widened, the 16-bit pair (0, 2) of each tap before its pair (1, 3). */
typedef struct satkd_three_taps {
  const int8_t *in;
  int32_t weights[6];
} satkd_three_taps;

/* What satkd_nine_taps reads for each pixel, in this order. */
typedef struct satkd_nine {
  int32_t bias[4];
  satkd_three_taps rows[3];
  satkd_scaling scalings[4];
  int32_t pixel_bytes;
  int32_t end;
} satkd_nine;
typedef char satkd_pixel_bytes_is_at_148[(offsetof(satkd_nine, pixel_bytes) == 148u) ? 1 : -1];

/* Those of four channels whose outputs are plain. */
SATKD_INLINE void satkd_find_scalings(const satkd_channels *channels, int32_t c, satkd_scaling *scalings) {
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t right = (uint32_t)(-(int32_t)channels->shift[c + i]);
    scalings[i].multiplier = channels->multiplier[c + i];
    scalings[i].addend = satkd_addend(channels->output_zero_point, right);
    scalings[i].right = right;
  }
}

/* Whether they are, of four channels of a layer of which not all are. */
SATKD_INLINE bool satkd_is_plain_four(const satkd_channels *channels, int32_t c) {
  bool is_plain = (channels->lowest == -128) && (channels->highest == 127);
  for (int32_t i = 0; is_plain && (i < 4); ++i) {
    is_plain = ((uint32_t)(-(int32_t)channels->shift[c + i]) - 1u) < channels->rights;
  }
  return is_plain;
}

SATKD_INLINE void satkd_widen_tap(const int8_t *from, int32_t *to) {
  int32_t codes;
  __builtin_memcpy(&codes, from, 4);
  __asm__("sxtb16 %0, %1" : "=r"(to[0]) : "r"(codes));
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(to[1]) : "r"(codes));
}

/* The sums are in r4, r5, r6 and r8. */
#define SATKD_TAP(address)                      \
  "ldr r11, [r9" address "]\n\t"                \
  "ldrd r12, lr, [r0], #8\n\t"                  \
  "sxtb16 r10, r11\n\t"                         \
  "sxtb16 r11, r11, ror #8\n\t"                 \
  "smlabb r4, r10, r12, r4\n\t"                 \
  "smlatt r6, r10, r12, r6\n\t"                 \
  "smlabb r5, r11, lr, r5\n\t"                  \
  "smlatt r8, r11, lr, r8\n\t"
#define SATKD_TAP_OF_ONE(address)               \
  "ldrsb r11, [r9" address "]\n\t"              \
  "ldrd r12, lr, [r0], #8\n\t"                  \
  "smlabb r4, r12, r11, r4\n\t"                 \
  "smlatb r6, r12, r11, r6\n\t"                 \
  "smlabb r5, lr, r11, r5\n\t"                  \
  "smlatb r8, lr, r11, r8\n\t"
#define SATKD_THREE(first, second, third)       \
  "ldr r9, [r0], #4\n\t"                        \
  "add r9, r9, r1\n\t" first second third
#define SATKD_THREE_TAPS SATKD_THREE(SATKD_TAP(""), SATKD_TAP(", r2"), SATKD_TAP(", r2, lsl #1"))
#define SATKD_THREE_TAPS_OF_ONE SATKD_THREE(SATKD_TAP_OF_ONE(""), SATKD_TAP_OF_ONE(", #1"), SATKD_TAP_OF_ONE(", #2"))
/* satkd_requantize_right of a sum. */
#define SATKD_WRITE_ONE(sum, to)                \
  "ldmia r0!, {r9, r10, r11}\n\t"               \
  "lsl r12, " sum ", #1\n\t"                    \
  "smmlar r12, r12, r9, r10\n\t"                \
  "add " sum ", r12, " sum ", asr #31\n\t"      \
  "asr " sum ", " sum ", r11\n\t"               \
  "ssat " sum ", #8, " sum "\n\t"               \
  "strb " sum ", [r3, " to "]\n\t"

#define SATKD_ALL_PIXELS(taps)                                                                                   \
  __asm__ volatile(                                                                                              \
      "1:\n\t"                                                                                                   \
      "ldmia r0!, {r4, r5, r6, r8}\n\t" taps taps taps                                                           \
      SATKD_WRITE_ONE("r4", "#0") SATKD_WRITE_ONE("r5", "#1") SATKD_WRITE_ONE("r6", "#2") SATKD_WRITE_ONE("r8", "#3") \
      "ldmia r0, {r9, r10}\n\t"                                                                                  \
      "add r3, r3, r2\n\t"                                                                                       \
      "add r1, r1, r9\n\t"                                                                                       \
      "sub r0, r0, #148\n\t"                                                                                     \
      "cmp r1, r10\n\t"                                                                                          \
      "bne 1b\n\t"                                                                                               \
      : "+r"(r0), "+r"(r1), "+r"(r3)                                                                             \
      : "r"(r2)                                                                                                  \
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

/* Four channels of all pixels, whose inputs are from `start` on, to before nine->end; `count` bytes from a pixel to the next.
   is_one: the inputs are of one channel, of which the layer makes all. */
SATKD_INLINE void satkd_nine_taps(const satkd_nine *nine, int32_t start, int32_t count, bool is_one, int8_t *out) {
  register const satkd_nine *r0 __asm__("r0") = nine;
  register int32_t r1 __asm__("r1") = start;
  register int32_t r2 __asm__("r2") = count;
  register int8_t *r3 __asm__("r3") = out;
  if (is_one) {
    SATKD_ALL_PIXELS(SATKD_THREE_TAPS_OF_ONE);
  } else {
    SATKD_ALL_PIXELS(SATKD_THREE_TAPS);
  }
}

/* Four channels of a row of plain outputs of a 3x3 kernel, from `c` on. */
SATKD_SHARED void satkd_depthwise_nine(const satkd_engine_layer *layer, const satkd_weights *constants,
                                       const satkd_channels *channels, const satkd_window *window, int32_t c, int8_t *out) {
  const int32_t count = layer->channels_out;
  const bool is_one = layer->channels_in == 1;
  const int32_t start = is_one ? 0 : c;
  const int8_t *weights = constants->weights + c;
  satkd_nine nine;
  satkd_find_scalings(channels, c, nine.scalings);
  for (int32_t y = 0; y < 3; ++y) {
    nine.rows[y].in = window->rows[y];
    for (int32_t i = 0; i < 3; ++i) {
      satkd_widen_tap(weights, &nine.rows[y].weights[2 * i]);
      weights += count;
    }
  }
  for (int32_t i = 0; i < 4; ++i) {
    nine.bias[i] = constants->bias[c + i];
  }
  nine.pixel_bytes = layer->stride_width * layer->channels_in;
  nine.end = start + (layer->width_out * nine.pixel_bytes);
  satkd_nine_taps(&nine, start, count, is_one, out + c);
}

/* The products of a tap of satkd_add_taps. */
#define SATKD_OF_FOUR_INPUTS                            \
  "ldr %[even], [%[in]]\n\t"                            \
  "add %[in], %[in], %[step]\n\t"                       \
  "sxtb16 %[odd], %[even], ror #8\n\t"                  \
  "sxtb16 %[even], %[even]\n\t"                         \
  "smlabb %[a0], %[w_even], %[even], %[a0]\n\t"         \
  "smlatt %[a2], %[w_even], %[even], %[a2]\n\t"         \
  "smlabb %[a1], %[w_odd], %[odd], %[a1]\n\t"           \
  "smlatt %[a3], %[w_odd], %[odd], %[a3]\n\t"
#define SATKD_OF_ONE_INPUT                              \
  "ldrsb %[even], [%[in]], #1\n\t"                      \
  "smlabb %[a0], %[w_even], %[even], %[a0]\n\t"         \
  "smlatb %[a2], %[w_even], %[even], %[a2]\n\t"         \
  "smlabb %[a1], %[w_odd], %[even], %[a1]\n\t"          \
  "smlatb %[a3], %[w_odd], %[even], %[a3]\n\t"
#define SATKD_ADD_TAPS(products)                                                                                 \
  __asm__ volatile(                                                                                              \
      "1:\n\t"                                                                                                   \
      "ldr %[w_even], [%[weights]]\n\t"                                                                          \
      "add %[weights], %[weights], %[step]\n\t"                                                                  \
      "sxtb16 %[w_odd], %[w_even], ror #8\n\t"                                                                   \
      "sxtb16 %[w_even], %[w_even]\n\t" products                                                                 \
      "subs %[left], %[left], #1\n\t"                                                                            \
      "bne 1b\n\t"                                                                                               \
      : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [in] "+r"(in), [weights] "+r"(weights),      \
        [left] "+r"(left), [even] "=&r"(even), [odd] "=&r"(odd), [w_even] "=&r"(w_even), [w_odd] "=&r"(w_odd)    \
      : [step] "r"(step)                                                                                         \
      : "cc", "memory")

/* Adds `taps` taps of a kernel row: weights of four channels, `step` bytes from a tap to the next, by their inputs, as far apart,
   or by one input, of which the layer makes all channels. */
SATKD_INLINE void satkd_add_taps(const int8_t *in, bool is_one, const int8_t *weights, int32_t step, int32_t taps, int32_t *sums) {
  int32_t a0 = sums[0];
  int32_t a1 = sums[1];
  int32_t a2 = sums[2];
  int32_t a3 = sums[3];
  int32_t left = taps;
  int32_t even;
  int32_t odd;
  int32_t w_even;
  int32_t w_odd;
  if (is_one) {
    SATKD_ADD_TAPS(SATKD_OF_ONE_INPUT);
  } else {
    SATKD_ADD_TAPS(SATKD_OF_FOUR_INPUTS);
  }
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
}

/* Four channels of a row with any kernel and outputs. */
SATKD_SHARED void satkd_depthwise_any(const satkd_engine_layer *layer, const satkd_weights *constants,
                                      const satkd_channels *channels, const satkd_window *window, int32_t c, int8_t *out) {
  const int32_t count = layer->channels_out;
  const bool is_one = layer->channels_in == 1;
  int32_t start = is_one ? 0 : c;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    int32_t sums[4] = {constants->bias[c], constants->bias[c + 1], constants->bias[c + 2], constants->bias[c + 3]};
    const int8_t *weights = constants->weights + c;
    for (int32_t y = 0; y < layer->kernel_height; ++y) {
      satkd_add_taps(satkd_row(window, y) + start, is_one, weights, count, layer->kernel_width, sums);
      weights += layer->kernel_width * count;
    }
    for (int32_t i = 0; i < 4; ++i) {
      out[(x * count) + c + i] = satkd_code_of(sums[i], channels, c + i);
    }
    start += layer->stride_width * layer->channels_in;
  }
}

/* reference/integer_ops/depthwise_conv.h */
void satkd_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                         int8_t *out) {
  const int32_t count = layer->channels_out;
  const satkd_channels channels = satkd_channels_of(layer, constants, 0, 0);
  const bool has_inputs = (layer->channels_in == count) || (layer->channels_in == 1);
  const bool has_nine_taps = (layer->kernel_height == 3) && (layer->kernel_width == 3);
  if ((layer->has_fast_sums == 0u) || !has_inputs || (count < 4)) {
    satkd_depthwise_row_portable(layer, constants, window, out);
    return;
  }
  for (int32_t next = 0; next < count; next += 4) {
    /* The last four channels may overlap those before. */
    const int32_t c = ((next + 4) > count) ? (count - 4) : next;
    if (has_nine_taps && (channels.is_plain || satkd_is_plain_four(&channels, c))) {
      satkd_depthwise_nine(layer, constants, &channels, window, c, out);
    } else {
      satkd_depthwise_any(layer, constants, &channels, window, c, out);
    }
  }
}

#endif /* SATKD_ENGINE_DSP_DEPTHWISE_H */
