/* Two channels by one pixel for cores with the DSP extension, for satkd_engine_dsp.h: dense layers, and the pixels of a row that
   are too few for the other kernels. */
#ifndef SATKD_ENGINE_DSP_PIXEL_H
#define SATKD_ENGINE_DSP_PIXEL_H

#include "satkd_engine_dsp_columns.h"

/* Inputs that are widened at a time, a multiple of 8; of a deeper patch, sums are kept in memory. */
#define SATKD_PIXEL_INPUTS 1024

/* Widens `bytes` (a multiple of 4), the 16-bit pair (0, 2) of four bytes before their pair (1, 3). */
SATKD_SHARED void satkd_widen_1(const int8_t *from, int32_t bytes, int32_t *to) {
  const int8_t *const end = from + bytes;
  __asm__ volatile(
      "1:\n\t"
      "ldr r4, [%[from]], #4\n\t"
      "sxtb16 r5, r4\n\t"
      "sxtb16 r6, r4, ror #8\n\t"
      "cmp %[from], %[end]\n\t"
      "stmia %[to]!, {r5, r6}\n\t"
      "bne 1b\n\t"
      : [from] "+r"(from), [to] "+r"(to)
      : [end] "r"(end)
      : "r4", "r5", "r6", "cc", "memory");
}

/* Eight weights of a channel by widened inputs in r3 to r6. */
#define SATKD_EIGHT(weights, sum)               \
  "ldmia " weights "!, {r8, r9}\n\t"            \
  "sxtb16 r10, r8\n\t"                          \
  "sxtb16 r8, r8, ror #8\n\t"                   \
  "smlad " sum ", r10, r3, " sum "\n\t"         \
  "smlad " sum ", r8, r4, " sum "\n\t"          \
  "sxtb16 r10, r9\n\t"                          \
  "sxtb16 r9, r9, ror #8\n\t"                   \
  "smlad " sum ", r10, r5, " sum "\n\t"         \
  "smlad " sum ", r9, r6, " sum "\n\t"
#define SATKD_EIGHTS                                   \
  "ldmia %[inputs]!, {r3, r4, r5, r6}\n\t"             \
  SATKD_EIGHT("%[first]", "%[a]") SATKD_EIGHT("%[second]", "%[b]")
#define SATKD_UNTIL_LAST(steps)                                                                          \
  __asm__ volatile("1:\n\t" steps "cmp %[first], %[end]\n\tbne 1b\n\t"                                   \
                   : [a] "+r"(a), [b] "+r"(b), [first] "+r"(first), [second] "+r"(second),               \
                     [inputs] "+r"(inputs)                                                               \
                   : [end] "r"(end)                                                                      \
                   : "r3", "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory")
#define SATKD_FOUR(weights, sum)                \
  "ldr r8, [" weights "], #4\n\t"               \
  "sxtb16 r10, r8\n\t"                          \
  "sxtb16 r8, r8, ror #8\n\t"                   \
  "smlad " sum ", r10, r3, " sum "\n\t"         \
  "smlad " sum ", r8, r4, " sum "\n\t"

/* The output code of a sum. */
SATKD_INLINE int8_t satkd_code_of(int32_t sum, const satkd_channels *channels, int32_t c) {
  const uint32_t right = (uint32_t)(-(int32_t)channels->shift[c]);
  if (channels->is_plain) {
    const int32_t addend = satkd_addend(channels->output_zero_point, right);
    return satkd_saturate(satkd_requantize_right(sum, channels->multiplier[c], addend, right));
  }
  int32_t code;
  if ((right - 1u) < channels->rights) {
    code = satkd_requantize_right(sum, channels->multiplier[c], satkd_addend(channels->output_zero_point, right), right);
  } else {
    code = satkd_requantize_any(sum, channels, c);
  }
  code = (code < channels->lowest) ? channels->lowest : code;
  return (int8_t)((code > channels->highest) ? channels->highest : code);
}

/* Adds a part of the products of a pixel, `depth` a multiple of 4 and `weights` aligned to 4 bytes, to the sums of all channels:
   `initial`. Writes outputs, or keeps the sums in `sums` if that is not null. */
SATKD_SHARED void satkd_channels_1(const satkd_channels *channels, const int32_t *patch, const int8_t *weights,
                                   const int32_t *initial, int32_t *sums, int8_t *out) {
  const int32_t depth = channels->depth;
  const int32_t between = depth + channels->skip;
  const int32_t eights = (int32_t)((uint32_t)depth & ~(uint32_t)7);
  const int32_t long_steps = (int32_t)((uint32_t)depth & ~(uint32_t)31);
  for (int32_t c = 0; c < channels->count; c += 2) {
    const bool is_last = (c + 1) == channels->count; /* then it is computed twice */
    const int32_t other = is_last ? c : (c + 1);
    const int8_t *first = weights + (c * between);
    const int8_t *second = weights + (other * between);
    const int32_t *inputs = patch;
    const int8_t *end = first + long_steps;
    int32_t a = initial[c];
    int32_t b = initial[other];
    if (long_steps != 0) {
      SATKD_UNTIL_LAST(SATKD_EIGHTS SATKD_EIGHTS SATKD_EIGHTS SATKD_EIGHTS);
    }
    if (long_steps != depth) {
      end += eights - long_steps;
      if (first != end) {
        SATKD_UNTIL_LAST(SATKD_EIGHTS);
      }
      end += 4;
      if (eights != depth) {
        SATKD_UNTIL_LAST("ldmia %[inputs]!, {r3, r4}\n\t" SATKD_FOUR("%[first]", "%[a]") SATKD_FOUR("%[second]", "%[b]"));
      }
    }
    if (sums != NULL) {
      sums[c] = a;
      sums[other] = b;
    } else {
      out[c] = satkd_code_of(a, channels, c);
      out[other] = satkd_code_of(b, channels, other);
    }
  }
}

/* A pixel of a row of outputs; `start`: where its inputs begin. */
SATKD_SHARED void satkd_convolve_pixel(const satkd_engine_layer *layer, const satkd_weights *constants, satkd_channels channels,
                                       const int8_t *const *rows, int32_t start, int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t depth = layer->kernel_height * row_bytes;
  if (depth <= SATKD_PIXEL_INPUTS) {
    for (int32_t y = 0; y < layer->kernel_height; ++y) {
      satkd_widen_1(rows[y] + start, row_bytes, scratch + ((y * row_bytes) / 2));
    }
    channels.depth = depth;
    channels.skip = 0;
    satkd_channels_1(&channels, scratch, constants->weights, constants->bias, NULL, out);
  } else {
    int32_t *const sums = scratch + (((row_bytes < SATKD_PIXEL_INPUTS) ? row_bytes : SATKD_PIXEL_INPUTS) / 2);
    const int32_t *initial = constants->bias;
    for (int32_t y = 0; y < layer->kernel_height; ++y) {
      for (int32_t from = 0; from < row_bytes; from += SATKD_PIXEL_INPUTS) {
        const int32_t left = row_bytes - from;
        const bool is_last = (left <= SATKD_PIXEL_INPUTS) && ((y + 1) == layer->kernel_height);
        channels.depth = (left < SATKD_PIXEL_INPUTS) ? left : SATKD_PIXEL_INPUTS;
        channels.skip = depth - channels.depth;
        satkd_widen_1(rows[y] + start + from, channels.depth, scratch);
        satkd_channels_1(&channels, scratch, constants->weights + ((y * row_bytes) + from), initial, is_last ? NULL : sums, out);
        initial = sums;
      }
    }
  }
}

#endif /* SATKD_ENGINE_DSP_PIXEL_H */
