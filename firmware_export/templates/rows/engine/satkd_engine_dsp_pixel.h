/* Two channels by one pixel for cores with the DSP extension, for satkd_engine_dsp.h: dense layers, and the pixels of a row that
   are too few for the other kernels. */
#ifndef SATKD_ENGINE_DSP_PIXEL_H
#define SATKD_ENGINE_DSP_PIXEL_H

#include "satkd_engine_dsp_columns.h"

/* Inputs that are widened at a time, a multiple of 8; of a deeper patch, sums are kept in memory. */
#define SATKD_PIXEL_INPUTS 1024

/* Channels whose sums are kept at a time where multipliers or shifts differ. */
#define SATKD_PIXEL_CHANNELS 16

/* Widens `bytes` (a multiple of 4), the 16-bit pair (0, 2) of four bytes before their pair (1, 3). */
SATKD_SHARED void satkd_widen_1(const int8_t *from, int32_t bytes, int32_t *to) {
  const int8_t *const end = from + bytes;
  if (((uint32_t)bytes % 8u) != 0u) {
    __asm__ volatile(
        "ldr r4, [%[from]], #4\n\t"
        "sxtb16 r5, r4\n\t"
        "sxtb16 r6, r4, ror #8\n\t"
        "stmia %[to]!, {r5, r6}\n\t"
        : [from] "+r"(from), [to] "+r"(to)
        :
        : "r4", "r5", "r6", "memory");
  }
  if (from != end) {
    __asm__ volatile(
        "1:\n\t"
        "ldr r8, [%[from], #4]\n\t"
        "ldr r4, [%[from]], #8\n\t"
        "sxtb16 r6, r8\n\t"
        "sxtb16 r8, r8, ror #8\n\t"
        "sxtb16 r5, r4, ror #8\n\t"
        "sxtb16 r4, r4\n\t"
        "cmp %[from], %[end]\n\t"
        "stmia %[to]!, {r4, r5, r6, r8}\n\t"
        "bne 1b\n\t"
        : [from] "+r"(from), [to] "+r"(to)
        : [end] "r"(end)
        : "r4", "r5", "r6", "r8", "cc", "memory");
  }
}

/* Two channels at a time; the assembly's state. */
typedef struct satkd_two {
  const int32_t *initial; /* of all channels */
  int32_t long_bytes;     /* weights of a channel that are multiplied 128 at a time */
  const int32_t *inputs;  /* widened */
  int32_t multiplier;     /* of all channels' codes, and addend and right shift, see satkd_requantize_right */
  int32_t addend;
  int32_t right;
  void *out;      /* int8_t codes or int32_t sums */
  int32_t is_any; /* 0: codes, and no weights but the long ones */
  void *end;      /* of `out` */
  int32_t skip;   /* from the end of a channel's weights to those of the one after the next */
  int32_t rest;   /* weights that are multiplied 16 at a time */
  int32_t eight;  /* 8 weights, or 0 */
  int32_t four;
  int32_t has_sums;
  const int8_t *first; /* weights of the first channel, and of the second */
  const int8_t *second;
} satkd_two;

/* From `multiplier`. */
#define SATKD_TWO_INITIAL "#-12"
#define SATKD_TWO_OUT "#12"
#define SATKD_TWO_REST "#28"
#define SATKD_TWO_EIGHT "#32"
#define SATKD_TWO_FOUR "#36"
#define SATKD_TWO_HAS_SUMS "#40"
#define SATKD_TWO_FIRST "#44"
typedef char satkd_two_begins_at_12[(offsetof(satkd_two, multiplier) == 12u) ? 1 : -1];
typedef char satkd_first_is_at_56[(offsetof(satkd_two, first) == 56u) ? 1 : -1];

/* The sums are in r1 and r2, the channels' weights begin at r11 and r12, the widened inputs at lr. */
#define SATKD_WEIGHTS_BY_INPUTS(weights, sum, even, odd) \
  "sxtb16 r10, " weights "\n\t"                          \
  "sxtb16 " weights ", " weights ", ror #8\n\t"          \
  "smlad " sum ", r10, " even ", " sum "\n\t"            \
  "smlad " sum ", " weights ", " odd ", " sum "\n\t"
#define SATKD_FOUR(from, sum) "ldr r8, [" from "], #4\n\t" SATKD_WEIGHTS_BY_INPUTS("r8", sum, "r3", "r4")
#define SATKD_TWO_WORDS(first, second, sum) \
  SATKD_WEIGHTS_BY_INPUTS(first, sum, "r3", "r4") SATKD_WEIGHTS_BY_INPUTS(second, sum, "r5", "r6")
#define SATKD_EIGHT(from, sum) "ldmia " from "!, {r8, r9}\n\t" SATKD_TWO_WORDS("r8", "r9", sum)
#define SATKD_NEXT_INPUTS "ldmia lr!, {r3, r4, r5, r6}\n\t"
#define SATKD_SIXTEENS                                                            \
  SATKD_NEXT_INPUTS                                                               \
  "ldmia r11!, {r0, r7, r8, r9}\n\t"                                              \
  SATKD_TWO_WORDS("r0", "r7", "r1")                                               \
  "ldmia r12!, {r0, r7}\n\t" SATKD_TWO_WORDS("r0", "r7", "r2") SATKD_NEXT_INPUTS  \
  SATKD_TWO_WORDS("r8", "r9", "r1") SATKD_EIGHT("r12", "r2")

/* Until r11 is the end of the weights. */
#define SATKD_UNTIL_LAST(number, steps)          \
  number ":\n\t" steps "ldr r10, [sp, #4]\n\t"  \
  "cmp r11, r10\n\t"                            \
  "bne " number "b\n\t"                         \
  "ldr r0, [sp]\n\t"

/* satkd_requantize_right, with multiplier, addend and shift in r3, r4 and r5. */
#define SATKD_WRITE_CODE(sum)              \
  "lsl r9, " sum ", #1\n\t"                \
  "smmlar r9, r9, r3, r4\n\t"              \
  "add " sum ", r9, " sum ", asr #31\n\t"  \
  "asr " sum ", " sum ", r5\n\t"           \
  "ssat " sum ", #8, " sum "\n\t"          \
  "strb " sum ", [r6], #1\n\t"

/* r0: where `multiplier` is; pushed, with the end of the weights in a loop: see SATKD_ENTER. */
#define SATKD_CHANNELS_BY_TWO                                                            \
  SATKD_ENTER                                                                            \
  "add r10, r0, " SATKD_TWO_FIRST "\n\t"                                                 \
  "ldmia r10, {r11, r12}\n\t"                                                            \
  "1:\n\t"                                                                               \
  "ldmdb r0, {r3, r7, lr}\n\t"                                                           \
  "ldrd r1, r2, [r3], #8\n\t"                                                            \
  "str r3, [r0, " SATKD_TWO_INITIAL "]\n\t"                                              \
  "cmp r7, #0\n\t"                                                                       \
  "beq.w 3f\n\t"                                                                         \
  "add r7, r7, r11\n\t"                                                                  \
  "str r7, [sp, #4]\n\t"                                                                 \
  SATKD_UNTIL_LAST("2", SATKD_SIXTEENS SATKD_SIXTEENS SATKD_SIXTEENS SATKD_SIXTEENS      \
                        SATKD_SIXTEENS SATKD_SIXTEENS SATKD_SIXTEENS SATKD_SIXTEENS)     \
  "3:\n\t"                                                                               \
  "ldmia r0, {r3, r4, r5, r6, r7, r8, r10}\n\t"                                          \
  "cbnz r7, 6f\n\t"                                                                      \
  "4:\n\t" SATKD_WRITE_CODE("r1") SATKD_WRITE_CODE("r2")                                 \
  "5:\n\t"                                                                               \
  "str r6, [r0, " SATKD_TWO_OUT "]\n\t"                                                  \
  "add r11, r11, r10\n\t"                                                                \
  "add r12, r12, r10\n\t"                                                                \
  "cmp r6, r8\n\t"                                                                       \
  "bne.w 1b\n\t"                                                                         \
  "b.w 11f\n\t"                                                                          \
  "6:\n\t"                                                                               \
  "ldr r7, [r0, " SATKD_TWO_REST "]\n\t"                                                 \
  "cmp r7, #0\n\t"                                                                       \
  "beq.w 8f\n\t"                                                                         \
  "add r7, r7, r11\n\t"                                                                  \
  "str r7, [sp, #4]\n\t" SATKD_UNTIL_LAST("7", SATKD_SIXTEENS)                           \
  "8:\n\t"                                                                               \
  "ldr r7, [r0, " SATKD_TWO_EIGHT "]\n\t"                                                \
  "cbz r7, 9f\n\t" SATKD_NEXT_INPUTS SATKD_EIGHT("r11", "r1") SATKD_EIGHT("r12", "r2")   \
  "9:\n\t"                                                                               \
  "ldr r7, [r0, " SATKD_TWO_FOUR "]\n\t"                                                 \
  "cbz r7, 10f\n\t"                                                                      \
  "ldmia lr!, {r3, r4}\n\t" SATKD_FOUR("r11", "r1") SATKD_FOUR("r12", "r2")              \
  "10:\n\t"                                                                              \
  "ldmia r0, {r3, r4, r5, r6, r7, r8, r10}\n\t"                                          \
  "ldr r7, [r0, " SATKD_TWO_HAS_SUMS "]\n\t"                                             \
  "cmp r7, #0\n\t"                                                                       \
  "beq.w 4b\n\t"                                                                         \
  "strd r1, r2, [r6], #8\n\t"                                                            \
  "b.w 5b\n\t"                                                                           \
  "11:\n\t"                                                                              \
  SATKD_LEAVE

SATKD_SHARED void satkd_multiply_two(satkd_two *two) {
  register int32_t *r0 __asm__("r0") = &two->multiplier;
  __asm__ volatile(SATKD_CHANNELS_BY_TWO
                   : "+r"(r0)
                   :
                   : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* For the channels whose weights begin with `weights`, each `between` before the next one's. */
SATKD_INLINE satkd_two satkd_two_of(const satkd_channels *channels, const int32_t *patch, const int8_t *weights, int32_t between,
                                    const int32_t *initial) {
  const int32_t depth = channels->depth;
  const uint32_t right = (uint32_t)(-(int32_t)channels->shift[0]);
  const satkd_two two = {
      .initial = initial,
      .long_bytes = (int32_t)((uint32_t)depth & ~(uint32_t)127),
      .inputs = patch,
      .multiplier = channels->multiplier[0],
      .addend = satkd_addend(channels->output_zero_point, right),
      .right = (int32_t)right,
      .out = NULL,
      .is_any = (int32_t)((uint32_t)depth % 128u),
      .end = NULL,
      .skip = (2 * between) - depth,
      .rest = (int32_t)((uint32_t)depth & (uint32_t)112),
      .eight = (int32_t)((uint32_t)depth & (uint32_t)8),
      .four = (int32_t)((uint32_t)depth & (uint32_t)4),
      .has_sums = 0,
      .first = weights,
      .second = weights + between,
  };
  return two;
}

/* The sums of an even number of channels, the first of which has the weights `weights`. `sums` may be `initial`. */
SATKD_INLINE void satkd_sum_two(const satkd_channels *channels, const int32_t *patch, const int8_t *weights, int32_t between,
                                const int32_t *initial, int32_t count, int32_t *sums) {
  satkd_two two = satkd_two_of(channels, patch, weights, between, initial);
  two.is_any = 1;
  two.has_sums = 1;
  two.out = sums;
  two.end = sums + count;
  satkd_multiply_two(&two);
}

/* The same of any number of channels. */
SATKD_SHARED void satkd_sums_1(const satkd_channels *channels, const int32_t *patch, const int8_t *weights, const int32_t *initial,
                               int32_t count, int32_t *sums) {
  const int32_t between = channels->depth + channels->skip;
  const int32_t even = (int32_t)((uint32_t)count & ~(uint32_t)1);
  if (even != 0) {
    satkd_sum_two(channels, patch, weights, between, initial, even, sums);
  }
  if (even != count) { /* the last one twice */
    int32_t both[2] = {initial[even], initial[even]};
    satkd_sum_two(channels, patch, weights + (even * between), 0, both, 2, both);
    sums[even] = both[0];
  }
}

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
  const int32_t between = channels->depth + channels->skip;
  int32_t done = 0;
  if (sums != NULL) {
    satkd_sums_1(channels, patch, weights, initial, channels->count, sums);
    done = channels->count;
  } else if (channels->are_equal && (channels->count > 1)) {
    done = (int32_t)((uint32_t)channels->count & ~(uint32_t)1);
    satkd_two two = satkd_two_of(channels, patch, weights, between, initial);
    two.out = out;
    two.end = out + done;
    satkd_multiply_two(&two);
  } else {
    /* in blocks below */
  }
  while (done < channels->count) {
    int32_t block[SATKD_PIXEL_CHANNELS];
    const int32_t left = channels->count - done;
    const int32_t count = (left < SATKD_PIXEL_CHANNELS) ? left : SATKD_PIXEL_CHANNELS;
    satkd_sums_1(channels, patch, weights + (done * between), initial + done, count, block);
    for (int32_t i = 0; i < count; ++i) {
      out[done + i] = satkd_code_of(block[i], channels, done + i);
    }
    done += count;
  }
}

/* A pixel of a row of outputs; `start`: where its inputs begin. */
SATKD_SHARED void satkd_convolve_pixel(const satkd_engine_layer *layer, const satkd_weights *constants,
                                       const int8_t *const *rows, int32_t start, int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t depth = layer->kernel_height * row_bytes;
  satkd_channels channels = satkd_channels_of(layer, constants, depth, 0);
  if (depth <= SATKD_PIXEL_INPUTS) {
    for (int32_t y = 0; y < layer->kernel_height; ++y) {
      satkd_widen_1(rows[y] + start, row_bytes, scratch + ((y * row_bytes) / 2));
    }
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
