/* Kernels for Helium (Armv8.1-M MVE: Cortex-M52, M55, M85), for satkd_engine_kernels.c. VMLADAVA adds sixteen products of int8 to one
   sum, of four output channels by two pixels at a time; the four channels' sums are requantized as one vector. The assembly
   takes r7, so it needs gcc, and no frame pointer. */
#ifndef SATKD_ENGINE_MVE_H
#define SATKD_ENGINE_MVE_H

#include <arm_mve.h>

#include "satkd_engine_portable.h"

#define SATKD_SHARED static __attribute__((noinline, unused))
#define SATKD_INLINE static inline __attribute__((always_inline, unused))

/* TFLM's MultiplyByQuantizedMultiplier (kernels/internal/common.h, double rounding) for four values. VQRDMULH is its
   SaturatingRoundingDoublingHighMul; VRSHL rounds halves up and RoundingDivideByPOT away from zero, so that negative
   values are made less by one first where they are shifted right at all. */
SATKD_INLINE int32x4_t satkd_requantize_4(int32x4_t values, int32x4_t multipliers, int32x4_t left, int32x4_t right) {
  const int32x4_t scaled = vqrdmulhq_s32(vshlq_s32(values, left), multipliers);
  return vrshlq_s32(vqaddq_s32(scaled, vshrq_n_s32(vandq_s32(scaled, right), 31)), right);
}

/* The same if all are shifted right. */
SATKD_INLINE int32x4_t satkd_requantize_right_4(int32x4_t values, int32x4_t multipliers, int32x4_t right) {
  const int32x4_t scaled = vqrdmulhq_s32(values, multipliers);
  return vrshlq_s32(vqaddq_s32(scaled, vshrq_n_s32(scaled, 31)), right);
}

/* Sixteen weights of four channels (at r3, r5, r7, r9) by two pixels' inputs (at r1), added to eight sums in the even
   registers, the only ones that VMLADAVA takes. */
#define SATKD_STEP(multiply, load)          \
  "vldrb.8 q0, [r1], #16\n\t"               \
  "vldrb.8 q1, [r1], #16\n\t"               \
  load("q2", "r3")                          \
  multiply ".s8 r0, q0, q2\n\t"             \
  multiply ".s8 r2, q1, q2\n\t"             \
  load("q3", "r5")                          \
  multiply ".s8 r4, q0, q3\n\t"             \
  multiply ".s8 r6, q1, q3\n\t"             \
  load("q2", "r7")                          \
  multiply ".s8 r8, q0, q2\n\t"             \
  multiply ".s8 r10, q1, q2\n\t"            \
  load("q3", "r9")                          \
  multiply ".s8 r12, q0, q3\n\t"            \
  multiply ".s8 lr, q1, q3\n\t"
#define SATKD_LOAD(vector, from) "vldrb.8 " vector ", [" from "], #16\n\t"
#define SATKD_LOAD_REST(vector, from) "vpst\n\tvldrbt.8 " vector ", [" from "]\n\t"

#define SATKD_FIRST SATKD_STEP("vmladav", SATKD_LOAD)
#define SATKD_NEXT SATKD_STEP("vmladava", SATKD_LOAD)
/* The rest of a depth that is no multiple of 16: never a look behind the weights. */
#define SATKD_PREDICATE "vmov.32 r11, %e[rest][0]\n\tvctp.8 r11\n\t"
#define SATKD_LAST SATKD_PREDICATE SATKD_STEP("vmladava", SATKD_LOAD_REST)
#define SATKD_ONLY SATKD_PREDICATE SATKD_STEP("vmladav", SATKD_LOAD_REST)
/* Steps as r11 counts them: four for each three, and one for each beyond. */
#define SATKD_LOOPS                                                    \
  "cmp r11, #4\n\tblt 2f\n1:\n\t" SATKD_NEXT SATKD_NEXT SATKD_NEXT     \
  "subs r11, #4\n\tcmp r11, #4\n\tbge 1b\n2:\n\t"                      \
  "cmp r11, #0\n\tbeq 4f\n3:\n\t" SATKD_NEXT "subs r11, #1\n\tbne 3b\n4:\n\t"

#define SATKD_DOT(steps)                                                                                              \
  __asm__ volatile(steps                                                                                              \
                   "vmov %q[first][2], %q[first][0], r0, r8\n\t"                                                      \
                   "vmov %q[first][3], %q[first][1], r4, r12\n\t"                                                     \
                   "vmov %q[second][2], %q[second][0], r2, r10\n\t"                                                   \
                   "vmov %q[second][3], %q[second][1], r6, lr\n\t"                                                    \
                   : [first] "=w"(first), [second] "=w"(second), "+r"(inputs), "+r"(a), "+r"(b), "+r"(c), "+r"(d),    \
                     "+r"(count)                                                                                      \
                   : [rest] "w"(rest)                                                                                \
                   : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "q3", "cc", "memory")

/* The output channels of two pixels: at least 4. */
typedef struct satkd_channels {
  int32_t count;
  int32_t depth;
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  const int8_t *shift;
  uint32_t has_right_shifts;
  int32_t out_step; /* from a pixel's codes to the next one's */
  int32_t output_zero_point;
  int32_t lowest;
  int32_t highest;
} satkd_channels;

SATKD_SHARED void satkd_channels_2(const satkd_channels *channels, const int8_t *patches, int8_t *out) {
  const int32_t depth = channels->depth;
  const int32_t blocks = depth / 16;
  const int32_t after_first = blocks - ((blocks < 3) ? 1 : 3);
  const int32_t steps = ((after_first / 3) * 4) + (after_first % 3);
  const int32x4_t rest = vdupq_n_s32(depth % 16), zero = vdupq_n_s32(0), lowest = vdupq_n_s32(channels->lowest);
  const int32x4_t highest = vdupq_n_s32(channels->highest);
  const int32_t last = channels->count - 4;
  const int32_t *const bias = channels->bias;
  for (int32_t next = 0; next < (last + 4); next += 4) {
    const int32_t channel = (next < last) ? next : last; /* the last four may overlap those before */
    int32x4_t first, second;
    {
      register const int8_t *inputs __asm__("r1") = patches;
      register const int8_t *a __asm__("r3") = channels->weights + (channel * depth);
      register const int8_t *b __asm__("r5") = a + depth;
      register const int8_t *c __asm__("r7") = b + depth;
      register const int8_t *d __asm__("r9") = c + depth;
      register int32_t count __asm__("r11") = steps;
      if ((depth % 16) == 0) {
        if (blocks >= 3) {
          SATKD_DOT(SATKD_FIRST SATKD_NEXT SATKD_NEXT SATKD_LOOPS);
        } else {
          SATKD_DOT(SATKD_FIRST SATKD_LOOPS);
        }
      } else if (blocks >= 3) {
        SATKD_DOT(SATKD_FIRST SATKD_NEXT SATKD_NEXT SATKD_LOOPS SATKD_LAST);
      } else if (blocks >= 1) {
        SATKD_DOT(SATKD_FIRST SATKD_LOOPS SATKD_LAST);
      } else {
        SATKD_DOT(SATKD_ONLY);
      }
    }
    const int32x4_t biases = vldrwq_s32(bias + channel);
    const int32x4_t multipliers = vldrwq_s32(channels->multiplier + channel);
    const int32x4_t shifts = vldrbq_s32(channels->shift + channel);
    first = vaddq_s32(first, biases);
    second = vaddq_s32(second, biases);
    if (channels->has_right_shifts != 0u) {
      first = satkd_requantize_right_4(first, multipliers, shifts);
      second = satkd_requantize_right_4(second, multipliers, shifts);
    } else {
      const int32x4_t left = vmaxq_s32(shifts, zero);
      const int32x4_t right = vminq_s32(shifts, zero);
      first = satkd_requantize_4(first, multipliers, left, right);
      second = satkd_requantize_4(second, multipliers, left, right);
    }
    first = vaddq_n_s32(first, channels->output_zero_point);
    second = vaddq_n_s32(second, channels->output_zero_point);
    first = vmaxq_s32(vminq_s32(first, highest), lowest);
    second = vmaxq_s32(vminq_s32(second, highest), lowest);
    int8_t *const to = out + channel;
    vstrbq_s32(to, first);
    vstrbq_s32(to + channels->out_step, second);
  }
}

/* The patches of two output pixels `step` input bytes apart, 16 bytes of each in turn. */
SATKD_INLINE void satkd_gather_blocks(const int8_t *const *rows, int32_t start, int32_t step, int32_t kernel_height,
                                      int32_t blocks, int8_t *to) {
  for (int32_t y = 0; y < kernel_height; ++y) {
    const int8_t *first = rows[y] + start;
    const int8_t *second = first + step;
    int32_t left = blocks;
    __asm__ volatile(
        "1:\n\t"
        "vldrb.8 q0, [%[first]], #16\n\t"
        "vldrb.8 q1, [%[second]], #16\n\t"
        "subs %[left], #1\n\t"
        "vstrb.8 q0, [%[to]], #16\n\t"
        "vstrb.8 q1, [%[to]], #16\n\t"
        "bne 1b\n\t"
        : [first] "+r"(first), [second] "+r"(second), [left] "+r"(left), [to] "+r"(to)
        :
        : "q0", "q1", "cc", "memory");
  }
}

/* The same where a kernel row is no multiple of 16 bytes, with zeros behind the patches' ends. */
SATKD_INLINE void satkd_gather_bytes(const int8_t *const *rows, int32_t start, int32_t step, int32_t kernel_height,
                                     int32_t row_bytes, int8_t *to) {
  const int32_t depth = kernel_height * row_bytes;
  const mve_pred16_t rest = vctp8q((uint32_t)row_bytes % 16u);
  int8_t *const linear = to + (((depth + 15) / 16) * 32);
  for (int32_t pixel = 0; pixel < 2; ++pixel) {
    int8_t *into = linear;
    for (int32_t y = 0; y < kernel_height; ++y) {
      const int8_t *from = rows[y] + start + (pixel * step);
      for (int32_t left = row_bytes; left >= 16; left -= 16) {
        vstrbq_s8(into, vldrbq_s8(from));
        from += 16;
        into += 16;
      }
      vstrbq_p_s8(into, vldrbq_z_s8(from, rest), rest);
      into += row_bytes % 16;
    }
    const int8_t *from = linear;
    into = to + (16 * pixel);
    for (int32_t left = depth; left > 0; left -= 16) {
      vstrbq_s8(into, vldrbq_z_s8(from, vctp8q((uint32_t)left)));
      from += 16;
      into += 32;
    }
  }
}

/* reference/integer_ops/conv.h
     scratch: conv_scratch_bytes in rows/fast_kernels.py. */
void satkd_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                           int8_t *out, int32_t *scratch) {
  const int32_t width_out = layer->width_out;
  const int32_t channels_out = layer->channels_out;
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  const int32_t pixels = (width_out == 1) ? 1 : 2; /* a lone pixel is computed twice */
  const int32_t step = (pixels == 1) ? 0 : pixel_bytes;
  const satkd_channels channels = {
      .count = channels_out,
      .depth = layer->kernel_height * row_bytes,
      .weights = constants->weights,
      .bias = constants->bias,
      .multiplier = constants->multipliers,
      .shift = constants->shifts,
      .has_right_shifts = layer->has_right_shifts,
      .out_step = (pixels == 1) ? 0 : channels_out,
      .output_zero_point = layer->zero_point_out,
      .lowest = layer->lowest,
      .highest = layer->highest,
  };
  int8_t *const patches = (int8_t *)(void *)scratch;
  if (channels_out < 4) {
    satkd_conv_row_portable(layer, constants, window, out);
    return;
  }
  for (int32_t next = 0; next < width_out; next += pixels) {
    /* The last two may overlap those before. */
    const int32_t x = ((next + pixels) > width_out) ? (width_out - pixels) : next;
    if ((row_bytes % 16) == 0) {
      satkd_gather_blocks(window->rows, x * pixel_bytes, step, layer->kernel_height, row_bytes / 16, patches);
    } else {
      satkd_gather_bytes(window->rows, x * pixel_bytes, step, layer->kernel_height, row_bytes, patches);
    }
    satkd_channels_2(&channels, patches, out + (x * channels_out));
  }
}

/* satkd_requantize_4 with one multiplier and right shift for all. */
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

#endif /* SATKD_ENGINE_MVE_H */
