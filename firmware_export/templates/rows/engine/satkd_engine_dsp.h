/* Kernels for cores with the DSP extension (Armv7E-M: Cortex-M4, M7; Armv8-M with DSP: M33), for satkd_engine_kernels.c. SMLAD
   multiplies two pairs of 16-bit numbers and adds both products, so four pixels' patches are widened into `scratch` once for
   all output channels, and weights as they are read. The assembly takes nearly every register and has functions of its own. */
#ifndef SATKD_ENGINE_DSP_H
#define SATKD_ENGINE_DSP_H

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

SATKD_INLINE int8_t satkd_saturate(int32_t value) {
  int32_t result;
  __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
  return (int8_t)result;
}

/* Widens `bytes` (a multiple of 4) of four pixels `step` bytes apart, four bytes of each in turn: the 16-bit pairs
   (0, 2) of all four, then the pairs (1, 3), as SXTB16 will give the weights. */
SATKD_SHARED void satkd_widen_4(const int8_t *first, int32_t step, int32_t bytes, int32_t *to) {
  const int8_t *third = first + (2 * step);
  const int8_t *const end = first + bytes;
  __asm__ volatile(
      "1:\n\t"
      "ldr r5, [%[first], %[step]]\n\t"
      "ldr r4, [%[first]], #4\n\t"
      "ldr r8, [%[third], %[step]]\n\t"
      "ldr r6, [%[third]], #4\n\t"
      "sxtb16 r9, r4\n\t"
      "sxtb16 r10, r5\n\t"
      "sxtb16 r12, r6\n\t"
      "sxtb16 lr, r8\n\t"
      "stmia %[to]!, {r9, r10, r12, lr}\n\t"
      "sxtb16 r4, r4, ror #8\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "sxtb16 r8, r8, ror #8\n\t"
      "cmp %[first], %[end]\n\t"
      "stmia %[to]!, {r4, r5, r6, r8}\n\t"
      "bne 1b\n\t"
      : [first] "+r"(first), [third] "+r"(third), [to] "+r"(to)
      : [end] "r"(end), [step] "r"(step)
      : "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "cc", "memory");
}

/* The output channels of four pixels. */
typedef struct satkd_channels {
  int32_t count;
  int32_t depth; /* products of a channel in this part of the patches */
  int32_t skip;  /* weights between this part's and the next channel's */
  const int32_t *multiplier;
  const int8_t *shift;
  int32_t out_step; /* from a pixel's codes to the next one's */
  int32_t output_zero_point;
  int32_t lowest;
  int32_t highest;
} satkd_channels;

/* Requantizes with any shift: too rare for room in the loop. */
SATKD_SHARED int32_t satkd_requantize_any(int32_t value, const satkd_channels *channels, int32_t c) {
  return satkd_add(satkd_requantize(value, channels->multiplier[c], channels->shift[c]), channels->output_zero_point);
}

/* Four weights by four pixels' widened inputs. */
#define SATKD_MULTIPLY                      \
  "ldmia %[patches]!, {r3, r4, r5, r6}\n\t" \
  "sxtb16 %[even], %[w]\n\t"                \
  "sxtb16 %[w], %[w], ror #8\n\t"           \
  "smlad %[a0], %[even], r3, %[a0]\n\t"     \
  "smlad %[a1], %[even], r4, %[a1]\n\t"     \
  "smlad %[a2], %[even], r5, %[a2]\n\t"     \
  "smlad %[a3], %[even], r6, %[a3]\n\t"     \
  "ldmia %[patches]!, {r3, r4, r5, r6}\n\t" \
  "smlad %[a0], %[w], r3, %[a0]\n\t"        \
  "smlad %[a1], %[w], r4, %[a1]\n\t"        \
  "smlad %[a2], %[w], r5, %[a2]\n\t"        \
  "smlad %[a3], %[w], r6, %[a3]\n\t"
#define SATKD_STEP "ldr %[w], [%[weights]], #4\n\t" SATKD_MULTIPLY
#define SATKD_STEPS SATKD_STEP SATKD_STEP SATKD_STEP SATKD_STEP
#define SATKD_UNTIL_END(steps)                                                                              \
  __asm__ volatile("1:\n\t" steps "cmp %[weights], %[end]\n\tbne 1b\n\t"                                    \
                   : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [weights] "+r"(weights),   \
                     [patches] "+r"(inputs), [w] "=&r"(w), [even] "=&r"(even)                               \
                   : [end] "r"(end)                                                                         \
                   : "r3", "r4", "r5", "r6", "cc", "memory")

/* Adds a part of the products of four pixels, `patches`, to sums that begin as `initial`: `pixel_step` and `channel_step`
   apart. Requantizes and writes them to `out`, or keeps them in `sums` if that is not null. */
SATKD_SHARED void satkd_channels_4(const satkd_channels *channels, const int32_t *patches, const int8_t *weights,
                                   const int32_t *initial, int32_t pixel_step, int32_t channel_step, int32_t *sums,
                                   int8_t *out) {
  const int32_t depth = channels->depth;
  const int32_t long_steps = (depth / 48) * 48;
  const int32_t steps = (int32_t)((uint32_t)depth & ~(uint32_t)3);
  const bool is_narrow = (channels->lowest != -128) || (channels->highest != 127);
  for (int32_t c = 0; c < channels->count; ++c) {
    __asm__("" : "+r"(c)); /* one counter instead of a pointer into each array */
    int32_t a0 = initial[0];
    int32_t a1 = initial[pixel_step];
    int32_t a2 = initial[2 * pixel_step];
    int32_t a3 = initial[3 * pixel_step];
    const int32_t *inputs = patches;
    const int8_t *end = weights + long_steps;
    int32_t w;
    int32_t even;
    initial += channel_step;
    if (long_steps != 0) {
      SATKD_UNTIL_END(SATKD_STEPS SATKD_STEPS SATKD_STEPS);
    }
    if (long_steps != depth) {
      end += steps - long_steps;
      if (weights != end) {
        SATKD_UNTIL_END(SATKD_STEP);
      }
      if (steps != depth) {
        w = 0;
        for (int32_t i = depth - steps; i > 0; --i) {
          w = (int32_t)(((uint32_t)w << 8u) | (uint8_t)weights[i - 1]);
        }
        weights += depth - steps;
        __asm__ volatile(SATKD_MULTIPLY
                         : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [patches] "+r"(inputs),
                           [w] "+r"(w), [even] "=&r"(even)
                         :
                         : "r3", "r4", "r5", "r6", "memory");
      }
    }
    weights += channels->skip;
    if (sums != NULL) {
      sums[0] = a0;
      sums[1] = a1;
      sums[2] = a2;
      sums[3] = a3;
      sums += 4;
    } else {
      const int32_t multiplier = channels->multiplier[c];
      const int32_t zero_point = channels->output_zero_point;
      const uint32_t right = (uint32_t)(-(int32_t)channels->shift[c]);
      if ((right - 1u) < 22u) { /* so that the zero point can be added before the shift */
        const int32_t addend = (int32_t)(((uint32_t)zero_point << right) + ((uint32_t)1 << (right - 1u)));
        a0 = satkd_requantize_right(a0, multiplier, addend, right);
        a1 = satkd_requantize_right(a1, multiplier, addend, right);
        a2 = satkd_requantize_right(a2, multiplier, addend, right);
        a3 = satkd_requantize_right(a3, multiplier, addend, right);
      } else {
        a0 = satkd_requantize_any(a0, channels, c);
        a1 = satkd_requantize_any(a1, channels, c);
        a2 = satkd_requantize_any(a2, channels, c);
        a3 = satkd_requantize_any(a3, channels, c);
      }
      if (is_narrow) {
        const int32_t lowest = channels->lowest;
        const int32_t highest = channels->highest;
        a0 = satkd_clamp(a0, lowest, highest);
        a1 = satkd_clamp(a1, lowest, highest);
        a2 = satkd_clamp(a2, lowest, highest);
        a3 = satkd_clamp(a3, lowest, highest);
      }
      const int32_t step = channels->out_step;
      int8_t *const to = out + c;
      to[0] = satkd_saturate(a0);
      to[step] = satkd_saturate(a1);
      to[2 * step] = satkd_saturate(a2);
      to[3 * step] = satkd_saturate(a3);
    }
  }
}

/* Larger patches of four pixels are worked a kernel row at a time, with their sums in memory. */
#define SATKD_WHOLE_PATCHES_BYTES 2560

/* Widens `bytes` (a multiple of 4) of three pixels `step` bytes apart, four bytes of each in turn: the 16-bit pairs (0, 2) of all
   three, then the pairs (1, 3), as SXTB16 will give the weights. */
SATKD_SHARED void satkd_widen_3(const int8_t *first, int32_t step, int32_t bytes, int32_t *to) {
  const int8_t *third = first + (2 * step);
  const int8_t *const end = first + bytes;
  __asm__ volatile(
      "1:\n\t"
      "ldr r5, [%[first], %[step]]\n\t"
      "ldr r6, [%[third]], #4\n\t"
      "ldr r4, [%[first]], #4\n\t"
      "sxtb16 r8, r4\n\t"
      "sxtb16 r9, r5\n\t"
      "sxtb16 r10, r6\n\t"
      "sxtb16 r11, r4, ror #8\n\t"
      "sxtb16 r12, r5, ror #8\n\t"
      "sxtb16 lr, r6, ror #8\n\t"
      "cmp %[first], %[end]\n\t"
      "stmia %[to]!, {r8, r9, r10, r11, r12, lr}\n\t"
      "bne 1b\n\t"
      : [first] "+r"(first), [third] "+r"(third), [to] "+r"(to)
      : [end] "r"(end), [step] "r"(step)
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* The distance of the weights of two channels that are multiplied by the same inputs: a constant in the instructions, for want
   of registers. */
#define SATKD_DISTANCE 1152
#define SATKD_TEXT(number) SATKD_TEXT_OF(number)
#define SATKD_TEXT_OF(number) #number

/* Four weights of two channels by three pixels' widened inputs. */
#define SATKD_PAIR_STEP                     \
  "ldr r12, [r8, #" SATKD_TEXT(SATKD_DISTANCE) "]\n\t"  \
  "ldr r11, [r8], #4\n\t"                   \
  "ldr r1, [r9, #4]\n\t"                   \
  "ldr r10, [r9, #8]\n\t"                   \
  "ldr r0, [r9], #12\n\t"                   \
  "sxtb16 lr, r11\n\t"                \
  "smlad r2, lr, r0, r2\n\t"     \
  "smlad r3, lr, r1, r3\n\t"     \
  "smlad r4, lr, r10, r4\n\t"     \
  "sxtb16 lr, r12\n\t"                \
  "smlad r5, lr, r0, r5\n\t"     \
  "smlad r6, lr, r1, r6\n\t"     \
  "smlad r7, lr, r10, r7\n\t"     \
  "ldmia r9!, {r0, r1, r10}\n\t"     \
  "sxtb16 r11, r11, ror #8\n\t"         \
  "smlad r2, r11, r0, r2\n\t"     \
  "smlad r3, r11, r1, r3\n\t"     \
  "smlad r4, r11, r10, r4\n\t"     \
  "sxtb16 r12, r12, ror #8\n\t"         \
  "smlad r5, r12, r0, r5\n\t"     \
  "smlad r6, r12, r1, r6\n\t"     \
  "smlad r7, r12, r10, r7\n\t"
#define SATKD_PAIR_STEPS SATKD_PAIR_STEP SATKD_PAIR_STEP SATKD_PAIR_STEP SATKD_PAIR_STEP

/* Adds the products of two channels and three pixels to `sums`: of the first channel's weights from `weights` to `end`, a
   multiple of 48 bytes. Within the assembly, `pushed` is part of the stack. */
SATKD_INLINE void satkd_multiply_pair(int32_t *sums, const int8_t *weights, const int32_t *patches, const int8_t *end) {
  register int32_t *r0 __asm__("r0") = sums;
  register const int8_t *r1 __asm__("r1") = weights;
  register const int32_t *r2 __asm__("r2") = patches;
  register const int8_t *r3 __asm__("r3") = end;
  __asm__ volatile(
      "push {r0, r3, r7}\n\t"
      "mov r8, r1\n\t"
      "mov r9, r2\n\t"
      "ldmia r0, {r2, r3, r4, r5, r6, r7}\n\t"
      "1:\n\t"
      SATKD_PAIR_STEPS SATKD_PAIR_STEPS SATKD_PAIR_STEPS
      "ldr lr, [sp, #4]\n\t"
      "cmp r8, lr\n\t"
      "bne 1b\n\t"
      "ldr lr, [sp]\n\t"
      "stmia lr, {r2, r3, r4, r5, r6, r7}\n\t"
      "pop {r0, r3, r7}\n\t"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* Whether channels can be multiplied in pairs. */
SATKD_INLINE int32_t satkd_pair_distance(const satkd_engine_layer *layer) {
  const int32_t depth = layer->kernel_height * layer->kernel_width * layer->channels_in;
  const int32_t part = ((8 * depth) > SATKD_WHOLE_PATCHES_BYTES) ? (layer->kernel_width * layer->channels_in) : depth;
  const int32_t distance = SATKD_DISTANCE / depth;
  const bool can = ((distance * depth) == SATKD_DISTANCE) && ((part % 48) == 0) && (layer->width_out >= 3) &&
                   ((layer->channels_out % (2 * distance)) == 0);
  return can ? distance : 0;
}

/* Requantizes three pixels of a channel. */
SATKD_INLINE void satkd_write_3(const satkd_channels *channels, int32_t c, const int32_t *sums, int8_t *to) {
  const int32_t step = channels->out_step;
  const int32_t multiplier = channels->multiplier[c];
  const int32_t zero_point = channels->output_zero_point;
  const int32_t lowest = channels->lowest;
  const int32_t highest = channels->highest;
  const uint32_t right = (uint32_t)(-(int32_t)channels->shift[c]);
  int32_t a0 = sums[0];
  int32_t a1 = sums[1];
  int32_t a2 = sums[2];
  if ((right - 1u) < 22u) { /* so that the zero point can be added before the shift */
    const int32_t addend = (int32_t)(((uint32_t)zero_point << right) + ((uint32_t)1 << (right - 1u)));
    a0 = satkd_requantize_right(a0, multiplier, addend, right);
    a1 = satkd_requantize_right(a1, multiplier, addend, right);
    a2 = satkd_requantize_right(a2, multiplier, addend, right);
  } else {
    a0 = satkd_requantize_any(a0, channels, c);
    a1 = satkd_requantize_any(a1, channels, c);
    a2 = satkd_requantize_any(a2, channels, c);
  }
  if ((lowest != -128) || (highest != 127)) {
    a0 = satkd_clamp(a0, lowest, highest);
    a1 = satkd_clamp(a1, lowest, highest);
    a2 = satkd_clamp(a2, lowest, highest);
  }
  to[0] = satkd_saturate(a0);
  to[step] = satkd_saturate(a1);
  to[2 * step] = satkd_saturate(a2);
}

SATKD_INLINE void satkd_begin_pair(const int32_t *bias, int32_t c, int32_t distance, int32_t *to) {
  const int32_t first = bias[c];
  const int32_t second = bias[c + distance];
  to[0] = first;
  to[1] = first;
  to[2] = first;
  to[3] = second;
  to[4] = second;
  to[5] = second;
}

/* All channels of three pixels. */
SATKD_SHARED void satkd_pairs_3(const satkd_channels *channels, const int32_t *bias, int32_t distance, const int32_t *patches,
                                const int8_t *weights, int8_t *out) {
  int32_t sums[6];
  for (int32_t group = 0; group < channels->count; group += 2 * distance) {
    for (int32_t c = group; c < (group + distance); ++c) {
      satkd_begin_pair(bias, c, distance, sums);
      satkd_multiply_pair(sums, weights, patches, weights + channels->depth);
      weights += channels->depth;
      satkd_write_3(channels, c, sums, out + c);
      satkd_write_3(channels, c + distance, sums + 3, out + c + distance);
    }
    weights += SATKD_DISTANCE;
  }
}

/* Columns of a kernel three wide over six neighbouring pixels: an input is loaded once for up to three of its products. */
#define SATKD_COLUMNS 8

SATKD_INLINE int32_t satkd_even_pair(int32_t bytes) {
  int32_t pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(bytes));
  return pair;
}

SATKD_INLINE int32_t satkd_odd_pair(int32_t bytes) {
  int32_t pair;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(bytes));
  return pair;
}

/* Widens eight neighbouring pixels of `channels`, a multiple of 16, four channels of each in turn: the 16-bit pairs (0, 2) of
   all eight, then the pairs (1, 3). */
SATKD_SHARED void satkd_widen_columns(const int8_t *from, int32_t channels, int32_t *to) {
  for (int32_t column = 0; column < SATKD_COLUMNS; ++column) {
    int32_t *into = to + column;
    for (int32_t left = channels; left > 0; left -= 16) {
      int32_t bytes[4];
      __builtin_memcpy(bytes, from, 16);
      from += 16;
      for (int32_t i = 0; i < 4; ++i) {
        into[(2 * SATKD_COLUMNS) * i] = satkd_even_pair(bytes[i]);
        into[((2 * SATKD_COLUMNS) * i) + SATKD_COLUMNS] = satkd_odd_pair(bytes[i]);
      }
      into += 8 * SATKD_COLUMNS;
    }
  }
}

/* Two weights at each of three taps by eight columns' inputs. */
#define SATKD_TAPS(advance, rotation)    \
  "ldr lr, [r8, r10, lsl #1]\n\t"        \
  "ldr r12, [r8, r10]\n\t"               \
  "ldr r11, [r8]" advance "\n\t"         \
  "ldmia r9!, {r0, r1}\n\t"              \
  "sxtb16 r11, r11" rotation "\n\t"      \
  "sxtb16 r12, r12" rotation "\n\t"      \
  "sxtb16 lr, lr" rotation "\n\t"        \
  "smlad r2, r11, r0, r2\n\t"            \
  "smlad r3, r11, r1, r3\n\t"            \
  "smlad r2, r12, r1, r2\n\t"            \
  "ldmia r9!, {r0, r1}\n\t"              \
  "smlad r4, r11, r0, r4\n\t"            \
  "smlad r3, r12, r0, r3\n\t"            \
  "smlad r2, lr, r0, r2\n\t"             \
  "smlad r5, r11, r1, r5\n\t"            \
  "smlad r4, r12, r1, r4\n\t"            \
  "smlad r3, lr, r1, r3\n\t"             \
  "ldmia r9!, {r0, r1}\n\t"              \
  "smlad r6, r11, r0, r6\n\t"            \
  "smlad r5, r12, r0, r5\n\t"            \
  "smlad r4, lr, r0, r4\n\t"             \
  "smlad r7, r11, r1, r7\n\t"            \
  "smlad r6, r12, r1, r6\n\t"            \
  "smlad r5, lr, r1, r5\n\t"             \
  "ldmia r9!, {r0, r1}\n\t"              \
  "smlad r7, r12, r0, r7\n\t"            \
  "smlad r6, lr, r0, r6\n\t"             \
  "smlad r7, lr, r1, r7\n\t"
#define SATKD_TAPS_STEP SATKD_TAPS("", "") SATKD_TAPS(", #4", ", ror #8")

/* Adds the products of a channel and six pixels to `sums`: whole kernel rows of 3 * `channels` weights until `end`. */
SATKD_INLINE void satkd_multiply_columns(int32_t *sums, const int8_t *weights, const int32_t *columns, int32_t channels,
                                         const int8_t *end) {
  const void *const arguments[5] = {weights + channels, end, weights, columns, NULL};
  register int32_t *r0 __asm__("r0") = sums;
  register const void *const *r1 __asm__("r1") = arguments;
  register int32_t r2 __asm__("r2") = channels;
  __asm__ volatile(
      "ldm r1, {r3, r4, r8, r9}\n\t"
      "mov r10, r2\n\t"
      "push {r0, r3, r4, r7}\n\t"
      "ldmia r0, {r2, r3, r4, r5, r6, r7}\n\t"
      "1:\n\t"
      SATKD_TAPS_STEP SATKD_TAPS_STEP SATKD_TAPS_STEP SATKD_TAPS_STEP
      "ldr r0, [sp, #4]\n\t"
      "ldr r1, [sp, #8]\n\t"
      "cmp r8, r0\n\t"
      "bne 1b\n\t"
      "add r8, r8, r10, lsl #1\n\t"
      "add r0, r8, r10\n\t"
      "str r0, [sp, #4]\n\t"
      "cmp r8, r1\n\t"
      "bne 1b\n\t"
      "ldr r0, [sp]\n\t"
      "stmia r0, {r2, r3, r4, r5, r6, r7}\n\t"
      "pop {r0, r3, r4, r7}\n\t"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      :
      : "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* Adds a part of the products of six neighbouring pixels to sums that begin as `initial`: `pixel_step` and `channel_step` apart.
   Requantizes and writes them to `out`, or keeps them in `sums` if that is not null. */
SATKD_SHARED void satkd_columns_6(const satkd_channels *channels, const int32_t *columns, int32_t channels_in,
                                  const int8_t *weights, const int32_t *bias, int32_t *sums, bool is_last, int8_t *out) {
  int32_t own[6];
  for (int32_t c = 0; c < channels->count; ++c) {
    int32_t *const to = (sums == NULL) ? own : &sums[6 * c];
    if (bias != NULL) {
      const int32_t initial = bias[c];
      for (int32_t i = 0; i < 6; ++i) {
        to[i] = initial;
      }
    }
    satkd_multiply_columns(to, weights, columns, channels_in, weights + channels->depth);
    weights += channels->depth + channels->skip;
    if (is_last) {
      satkd_write_3(channels, c, to, out + c);
      satkd_write_3(channels, c, to + 3, out + c + (3 * channels->out_step));
    }
  }
}

/* The patches of four output pixels `step` input bytes apart, widened. */
SATKD_SHARED void satkd_widen_patches_4(const satkd_engine_layer *layer, const int8_t *const *rows, int32_t start,
                                        int32_t step, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  for (int32_t y = 0; y < layer->kernel_height; ++y) {
    satkd_widen_4(rows[y] + start, step, row_bytes, scratch + (y * row_bytes * 2));
  }
}

/* The same where a kernel row is no whole number of words: the patches are put together first. */
SATKD_SHARED void satkd_widen_odd_patches_4(const satkd_engine_layer *layer, const int8_t *const *rows, int32_t start,
                                            int32_t step, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t padded = (((layer->kernel_height * row_bytes) + 3) / 4) * 4;
  int8_t *const patches = (int8_t *)(scratch + (padded * 2));
  for (int32_t pixel = 0; pixel < 4; ++pixel) {
    int8_t *into = patches + (pixel * padded);
    ((int32_t *)(void *)into)[(padded / 4) - 1] = 0;
    for (int32_t y = 0; y < layer->kernel_height; ++y) {
      const int8_t *from = rows[y] + start + (pixel * step);
      for (int32_t left = row_bytes; left >= 4; left -= 4) {
        __builtin_memcpy(into, from, 4); /* one instruction each way */
        from += 4;
        into += 4;
      }
      for (int32_t left = row_bytes % 4; left > 0; --left) {
        *into = *from;
        ++from;
        ++into;
      }
    }
  }
  satkd_widen_4(patches, padded, padded, scratch);
}

/* Where the four pixels that begin with `next` begin: the last four of a row may overlap those before. */
SATKD_INLINE int32_t satkd_begin_of_4(const satkd_engine_layer *layer, int32_t next) {
  int32_t x = next;
  if (layer->width_out < 4) {
    x = next / 4; /* a narrow row has each of its pixels computed four times */
  } else if ((next + 4) > layer->width_out) {
    x = layer->width_out - 4;
  } else {
    /* four more pixels */
  }
  return x;
}

SATKD_INLINE int32_t satkd_end_of_row(const satkd_engine_layer *layer) {
  return (layer->width_out < 4) ? (4 * layer->width_out) : layer->width_out;
}

SATKD_INLINE satkd_channels satkd_channels_of(const satkd_engine_layer *layer, const satkd_weights *constants,
                                              int32_t depth, int32_t skip) {
  const satkd_channels channels = {
      .count = layer->channels_out,
      .depth = depth,
      .skip = skip,
      .multiplier = constants->multipliers,
      .shift = constants->shifts,
      .out_step = (layer->width_out < 4) ? 0 : layer->channels_out,
      .output_zero_point = layer->zero_point_out,
      .lowest = layer->lowest,
      .highest = layer->highest,
  };
  return channels;
}

SATKD_SHARED void satkd_convolve_by_rows(const satkd_engine_layer *layer, const satkd_weights *constants,
                                         const int8_t *const *rows, int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t last = layer->kernel_height - 1;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  int32_t *const sums = scratch + (2 * row_bytes);
  const satkd_channels channels = satkd_channels_of(layer, constants, row_bytes, last * row_bytes);
  int32_t next = 0;
  if ((layer->kernel_width == 3) && (layer->stride_width == 1) && ((layer->channels_in % 16) == 0) &&
      (layer->width_out >= 6) && (layer->channels_out <= layer->channels_in)) {
    for (; (next + 4) < layer->width_out; next += 6) {
      const int32_t x = ((next + 6) > layer->width_out) ? (layer->width_out - 6) : next;
      for (int32_t y = 0; y <= last; ++y) {
        satkd_widen_columns(rows[y] + (x * pixel_bytes), layer->channels_in, scratch);
        satkd_columns_6(&channels, scratch, layer->channels_in, constants->weights + (y * row_bytes),
                        (y == 0) ? constants->bias : NULL, scratch + (layer->channels_in * (SATKD_COLUMNS / 2)), y == last,
                        out + (x * layer->channels_out));
      }
    }
  }
  for (; next < satkd_end_of_row(layer); next += 4) {
    const int32_t x = satkd_begin_of_4(layer, next);
    for (int32_t y = 0; y <= last; ++y) {
      satkd_widen_4(rows[y] + (x * pixel_bytes), (layer->width_out < 4) ? 0 : pixel_bytes, row_bytes, scratch);
      satkd_channels_4(&channels, scratch, constants->weights + (y * row_bytes), (y == 0) ? constants->bias : sums,
                       (y == 0) ? 0 : 1, (y == 0) ? 1 : 4, (y == last) ? NULL : sums,
                       out + (x * layer->channels_out));
    }
  }
}

SATKD_SHARED void satkd_convolve_whole(const satkd_engine_layer *layer, const satkd_weights *constants,
                                       const int8_t *const *rows, int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  const int32_t step = (layer->width_out < 4) ? 0 : pixel_bytes;
  const satkd_channels channels = satkd_channels_of(layer, constants, layer->kernel_height * row_bytes, 0);
  const int32_t distance = satkd_pair_distance(layer);
  int32_t next = 0;
  if ((layer->kernel_width == 3) && (layer->stride_width == 1) && ((layer->channels_in % 16) == 0) &&
      (layer->width_out >= 6)) {
    for (; (next + 4) < layer->width_out; next += 6) {
      const int32_t x = ((next + 6) > layer->width_out) ? (layer->width_out - 6) : next;
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        satkd_widen_columns(rows[y] + (x * pixel_bytes), layer->channels_in,
                            scratch + (y * layer->channels_in * (SATKD_COLUMNS / 2)));
      }
      satkd_columns_6(&channels, scratch, layer->channels_in, constants->weights, constants->bias, NULL, true,
                      out + (x * layer->channels_out));
    }
  } else if (distance != 0) {
    const int32_t triples = (layer->width_out % 3) == 1 ? (layer->width_out - 4) : layer->width_out;
    for (; next < triples; next += 3) {
      const int32_t x = ((next + 3) > layer->width_out) ? (layer->width_out - 3) : next;
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        satkd_widen_3(rows[y] + (x * pixel_bytes), pixel_bytes, row_bytes, scratch + ((y * row_bytes * 3) / 2));
      }
      satkd_pairs_3(&channels, constants->bias, distance, scratch, constants->weights, out + (x * layer->channels_out));
    }
  }
  for (; next < satkd_end_of_row(layer); next += 4) {
    const int32_t x = satkd_begin_of_4(layer, next);
    if ((row_bytes % 4) == 0) {
      satkd_widen_patches_4(layer, rows, x * pixel_bytes, step, scratch);
    } else {
      satkd_widen_odd_patches_4(layer, rows, x * pixel_bytes, step, scratch);
    }
    satkd_channels_4(&channels, scratch, constants->weights, constants->bias, 0, 1, NULL,
                     out + (x * layer->channels_out));
  }
}

/* reference/integer_ops/conv.h. Exact where no sum is beyond +-2^30 (fits_fast_sums in rows/fast_kernels.py).
     scratch: conv_scratch_bytes in rows/fast_kernels.py. */
void satkd_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                    int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  if (((row_bytes % 4) == 0) && ((8 * layer->kernel_height * row_bytes) > SATKD_WHOLE_PATCHES_BYTES)) {
    satkd_convolve_by_rows(layer, constants, window->rows, out, scratch);
  } else {
    satkd_convolve_whole(layer, constants, window->rows, out, scratch);
  }
}

/* A term of satkd_add_row, as its multiplier is a half or less. */
typedef struct satkd_term {
  int32_t zero_point; /* shifted as the code will be */
  int32_t multiplier;
  int32_t half;
  uint32_t right;
} satkd_term;

SATKD_INLINE int32_t satkd_half_term(int8_t code, satkd_term term) {
  return ((int32_t)code * ((int32_t)1 << 19)) - term.zero_point;
}

SATKD_INLINE int32_t satkd_small_term(int8_t code, satkd_term term) {
  const int32_t doubled = ((int32_t)code * ((int32_t)1 << 21)) - term.zero_point;
  return (satkd_scale(doubled, term.multiplier, term.half) + (doubled >> 31u)) >> term.right;
}

SATKD_INLINE void satkd_add_halves(const int8_t *half, const int8_t *other, int8_t *out, int32_t count,
                                   satkd_term half_term, satkd_term other_term, bool other_is_half, satkd_term sum_term,
                                   const satkd_engine_layer *narrow) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t scaled = other_is_half ? satkd_half_term(other[i], other_term) : satkd_small_term(other[i], other_term);
    const int32_t sum = satkd_half_term(half[i], half_term) + scaled;
    const int32_t product = satkd_scale(sum * 2, sum_term.multiplier, sum_term.half);
    const int32_t value = (product + (sum >> 31u)) >> sum_term.right;
    out[i] = (narrow == NULL) ? satkd_saturate(value) : satkd_clamp(value, narrow->lowest, narrow->highest);
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
    satkd_term half_term = {half_zero_point * ((int32_t)1 << 19), 0, 0, 0};
    satkd_term other_term = {other_zero_point * ((int32_t)1 << 19), 0, 0, 0};
    satkd_term sum_term = {0, layer->scale_out.multiplier, 0, (uint32_t)right};
    sum_term.half = ((int32_t)1 << (right - 1)) + (layer->zero_point_out * ((int32_t)1 << right));
    if (!other_is_half) {
      other_term.zero_point = other_zero_point * ((int32_t)1 << 21);
      other_term.multiplier = other.multiplier;
      other_term.half = (int32_t)((uint32_t)1 << ((uint32_t)(-other.shift) - 1u));
      other_term.right = (uint32_t)(-other.shift);
    }
    if ((layer->lowest != -128) || (layer->highest != 127)) {
      if (other_is_half) {
        satkd_add_halves(half, second, out, count, half_term, other_term, true, sum_term, layer);
      } else {
        satkd_add_halves(half, second, out, count, half_term, other_term, false, sum_term, layer);
      }
    } else if (other_is_half) {
      satkd_add_halves(half, second, out, count, half_term, other_term, true, sum_term, NULL);
    } else {
      satkd_add_halves(half, second, out, count, half_term, other_term, false, sum_term, NULL);
    }
  }
}

#endif /* SATKD_ENGINE_DSP_H */
