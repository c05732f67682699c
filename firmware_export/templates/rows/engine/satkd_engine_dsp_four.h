/* A channel by four pixels for cores with the DSP extension, for satkd_engine_dsp.h: any convolution. Four pixels' patches are
   widened into `scratch` once for all output channels, and weights as they are read. */
#ifndef SATKD_ENGINE_DSP_FOUR_H
#define SATKD_ENGINE_DSP_FOUR_H

#include "satkd_engine_dsp_add.h"

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
  uint32_t rights; /* number of right shifts, from 1, of sums that are within +-2^30; 0 if one may be beyond */
  bool is_plain;   /* all shift so, and all codes are outputs */
  bool are_equal;  /* and all have the same multiplier and shift */
} satkd_channels;

SATKD_INLINE satkd_channels satkd_channels_of(const satkd_engine_layer *layer, const satkd_weights *constants,
                                              int32_t depth, int32_t skip) {
  const bool is_plain = (layer->has_fast_sums == 1u) && (layer->has_right_shifts >= SATKD_ENGINE_SMALL_RIGHT_SHIFTS) &&
                        (layer->lowest == -128) && (layer->highest == 127);
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
      .rights = (layer->has_fast_sums == 1u) ? 22u : 0u, /* so that the zero point can be added before the shift */
      .is_plain = is_plain,
      .are_equal = is_plain && (layer->has_right_shifts == SATKD_ENGINE_EQUAL_RIGHT_SHIFTS),
  };
  return channels;
}

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

/* The last one to three weights of `depth`, and zeros; `rest` are the first of them. */
SATKD_INLINE int32_t satkd_last_weights(const int8_t *rest, int32_t depth) {
  const uint32_t count = (uint32_t)depth % 4u;
  uint32_t weights = 0;
  if (depth > 4) {
    __builtin_memcpy(&weights, (rest + count) - 4, 4);
    weights >>= 8u * (4u - count);
  } else {
    for (uint32_t i = count; i > 0u; --i) {
      weights = (weights << 8u) | (uint8_t)rest[i - 1u];
    }
  }
  return (int32_t)weights;
}

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
      end += ((steps - long_steps) / 12) * 12;
      if (weights != end) {
        SATKD_UNTIL_END(SATKD_STEP SATKD_STEP SATKD_STEP);
      }
      end += (steps - long_steps) % 12;
      if (weights != end) {
        SATKD_UNTIL_END(SATKD_STEP);
      }
      if (steps != depth) {
        w = satkd_last_weights(weights, depth);
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
      if ((right - 1u) < channels->rights) {
        const int32_t addend = satkd_addend(zero_point, right);
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

#endif /* SATKD_ENGINE_DSP_FOUR_H */
