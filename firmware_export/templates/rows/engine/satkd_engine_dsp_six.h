/* Six products at a time for cores with the DSP extension, for satkd_engine_dsp.h: a channel by six neighbouring pixels, or two
   channels by three. Their sums fill r2 to r7, and the assembly takes all other registers too. */
#ifndef SATKD_ENGINE_DSP_SIX_H
#define SATKD_ENGINE_DSP_SIX_H

#include "satkd_engine_dsp_four.h"

/* How to requantize three pixels of a channel. */
typedef struct satkd_triple {
  int32_t multiplier;
  int32_t addend;
  uint32_t right;
  int8_t *out;
} satkd_triple;

/* The arguments of the assembly, which knows their places. */
typedef struct satkd_six {
  int32_t sums[6];
  const int8_t *weights;
  const int32_t *inputs;
  int32_t step; /* bytes from a tap's weights to the next one's */
  const int8_t *end_of_row;
  const int8_t *end;
  int32_t is_last; /* the triples are to be written, not the sums */
  satkd_triple triples[2];
  int32_t out_step;
} satkd_six;

typedef char satkd_triples_are_at_48[(offsetof(satkd_six, triples) == 48u) ? 1 : -1];

/* The sums are in r2 to r7, weights in r8, inputs in r9, the step in r10; on the stack, 0: satkd_six, 4: the row's end, 8: the end
   of the weights. */
#define SATKD_ENTER                                      \
  "ldr r1, [r0, #36]\n\t"                                \
  "ldr r2, [r0, #40]\n\t"                                \
  "push {r0, r1, r2, r7}\n\t"                            \
  "ldmia r0, {r2, r3, r4, r5, r6, r7, r8, r9, r10}\n\t"

#define SATKD_WRITE_TRIPLE(a, b, c)       \
  "ldmia r12!, {r0, r1, r8, r9}\n\t"      \
  "lsl r11, " a ", #1\n\t"                \
  "smmlar r11, r11, r0, r1\n\t"           \
  "add " a ", r11, " a ", asr #31\n\t"    \
  "lsl r11, " b ", #1\n\t"                \
  "smmlar r11, r11, r0, r1\n\t"           \
  "add " b ", r11, " b ", asr #31\n\t"    \
  "lsl r11, " c ", #1\n\t"                \
  "smmlar r11, r11, r0, r1\n\t"           \
  "add " c ", r11, " c ", asr #31\n\t"    \
  "asr " a ", " a ", r8\n\t"              \
  "asr " b ", " b ", r8\n\t"              \
  "asr " c ", " c ", r8\n\t"              \
  "ssat " a ", #8, " a "\n\t"             \
  "ssat " b ", #8, " b "\n\t"             \
  "ssat " c ", #8, " c "\n\t"             \
  "strb " a ", [r9]\n\t"                  \
  "strb " b ", [r9, r10]\n\t"             \
  "strb " c ", [r9, r10, lsl #1]\n\t"

#define SATKD_LEAVE                                \
  "ldr r12, [sp]\n\t"                              \
  "ldr r11, [r12, #44]\n\t"                        \
  "ldr r10, [r12, #80]\n\t"                        \
  "cmp r11, #0\n\t"                                \
  "ite eq\n\t"                                     \
  "stmiaeq r12, {r2, r3, r4, r5, r6, r7}\n\t"      \
  "addne r12, r12, #48\n\t"                        \
  "beq 3f\n\t"                                     \
  SATKD_WRITE_TRIPLE("r2", "r3", "r4")             \
  SATKD_WRITE_TRIPLE("r5", "r6", "r7")             \
  "3:\n\t"                                         \
  "pop {r0, r1, r2, r7}\n\t"

#define SATKD_MULTIPLY_SIX(six, instructions)                                                                  \
  do {                                                                                                         \
    register satkd_six *r0 __asm__("r0") = (six);                                                              \
    __asm__ volatile(SATKD_ENTER "1:\n\t" instructions SATKD_LEAVE                                             \
                     : "+r"(r0)                                                                                \
                     :                                                                                         \
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"); \
  } while (0)

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

/* Four weights of two channels by three pixels' widened inputs. The distance of the two channels' weights is a constant in the
   instructions, for want of registers. */
#define SATKD_DISTANCE 1152
#define SATKD_PAIR_STEP                 \
  "ldr r12, [r8, #1152]\n\t"            \
  "ldr r11, [r8], #4\n\t"               \
  "ldmia r9!, {r0, r1, r10}\n\t"        \
  "sxtb16 lr, r11\n\t"                  \
  "smlad r2, lr, r0, r2\n\t"            \
  "smlad r3, lr, r1, r3\n\t"            \
  "smlad r4, lr, r10, r4\n\t"           \
  "sxtb16 lr, r12\n\t"                  \
  "smlad r5, lr, r0, r5\n\t"            \
  "smlad r6, lr, r1, r6\n\t"            \
  "smlad r7, lr, r10, r7\n\t"           \
  "ldmia r9!, {r0, r1, r10}\n\t"        \
  "sxtb16 r11, r11, ror #8\n\t"         \
  "smlad r2, r11, r0, r2\n\t"           \
  "smlad r3, r11, r1, r3\n\t"           \
  "smlad r4, r11, r10, r4\n\t"          \
  "sxtb16 r12, r12, ror #8\n\t"         \
  "smlad r5, r12, r0, r5\n\t"           \
  "smlad r6, r12, r1, r6\n\t"           \
  "smlad r7, r12, r10, r7\n\t"
#define SATKD_PAIR_STEPS SATKD_PAIR_STEP SATKD_PAIR_STEP SATKD_PAIR_STEP SATKD_PAIR_STEP

/* The products of two channels and three pixels: until `end`, a multiple of 48 weights of each channel. */
SATKD_INLINE void satkd_multiply_pair(satkd_six *six) {
  SATKD_MULTIPLY_SIX(six, SATKD_PAIR_STEPS SATKD_PAIR_STEPS SATKD_PAIR_STEPS "ldr r0, [sp, #8]\n\t"
                                                                             "cmp r8, r0\n\t"
                                                                             "bne 1b\n\t");
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

/* Two weights at each of three taps by eight columns' widened inputs: an input is loaded once for up to three products. */
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

/* The products of a channel and six neighbouring pixels: kernel rows of three taps of `step` weights, a multiple of 16. */
SATKD_INLINE void satkd_multiply_columns(satkd_six *six) {
  SATKD_MULTIPLY_SIX(six, SATKD_TAPS_STEP SATKD_TAPS_STEP SATKD_TAPS_STEP SATKD_TAPS_STEP "ldr r0, [sp, #4]\n\t"
                                                                                          "ldr r1, [sp, #8]\n\t"
                                                                                          "cmp r8, r0\n\t"
                                                                                          "bne 1b\n\t"
                                                                                          "add r8, r8, r10, lsl #1\n\t"
                                                                                          "add r0, r8, r10\n\t"
                                                                                          "str r0, [sp, #4]\n\t"
                                                                                          "cmp r8, r1\n\t"
                                                                                          "bne 1b\n\t");
}

/* Whether the assembly can write a channel; satkd_write_triple can in any case. */
SATKD_INLINE bool satkd_prepare_triple(const satkd_channels *channels, int32_t c, int8_t *out, satkd_triple *triple) {
  const uint32_t right = (uint32_t)(-(int32_t)channels->shift[c]);
  triple->multiplier = channels->multiplier[c];
  triple->addend = satkd_addend(channels->output_zero_point, right);
  triple->right = right;
  triple->out = out;
  return (right - 1u) < 22u;
}

SATKD_SHARED void satkd_write_triple(const satkd_channels *channels, int32_t c, const int32_t *sums, int8_t *out) {
  for (int32_t i = 0; i < 3; ++i) {
    out[i * channels->out_step] = satkd_clamp(satkd_requantize_any(sums[i], channels, c), channels->lowest, channels->highest);
  }
}

SATKD_INLINE void satkd_set_sums(int32_t *sums, int32_t first, int32_t second) {
  sums[0] = first;
  sums[1] = first;
  sums[2] = first;
  sums[3] = second;
  sums[4] = second;
  sums[5] = second;
}

/* All channels of three pixels, whose patches are `patches`. */
SATKD_SHARED void satkd_pairs_3(const satkd_channels *channels, const int32_t *patches, const int8_t *weights,
                                const int32_t *bias, int32_t distance, int8_t *out) {
  const int32_t depth = channels->depth;
  const bool is_wide = (channels->lowest == -128) && (channels->highest == 127);
  const int8_t *from = weights;
  satkd_six six;
  six.out_step = channels->out_step;
  for (int32_t group = 0; group < channels->count; group += 2 * distance) {
    for (int32_t c = group; c < (group + distance); ++c) {
      const int32_t other = c + distance;
      const bool has_first = satkd_prepare_triple(channels, c, out + c, &six.triples[0]);
      const bool has_second = satkd_prepare_triple(channels, other, out + other, &six.triples[1]);
      six.is_last = (is_wide && has_first && has_second) ? 1 : 0;
      six.weights = from;
      six.inputs = patches;
      from += depth;
      six.end = from;
      satkd_set_sums(six.sums, bias[c], bias[other]);
      satkd_multiply_pair(&six);
      if (six.is_last == 0) {
        satkd_write_triple(channels, c, six.sums, out + c);
        satkd_write_triple(channels, other, six.sums + 3, out + other);
      }
    }
    from += SATKD_DISTANCE;
  }
}

/* Adds a part of the products of six neighbouring pixels, to `bias` or to `sums`; one of both is null. Writes them, or keeps
   them in `kept` if that is not null. */
SATKD_SHARED void satkd_columns_6(const satkd_channels *channels, const int32_t *columns, int32_t channels_in,
                                  const int8_t *weights, const int32_t *bias, const int32_t *sums, int32_t *kept,
                                  int8_t *out) {
  const bool is_wide = (channels->lowest == -128) && (channels->highest == 127);
  const int32_t second = 3 * channels->out_step;
  const int8_t *from = weights;
  satkd_six six;
  six.out_step = channels->out_step;
  six.step = channels_in;
  for (int32_t c = 0; c < channels->count; ++c) {
    const bool has_triple = satkd_prepare_triple(channels, c, out + c, &six.triples[0]);
    six.triples[1] = six.triples[0];
    six.triples[1].out += second;
    six.is_last = ((kept == NULL) && is_wide && has_triple) ? 1 : 0;
    six.weights = from;
    six.inputs = columns;
    six.end_of_row = from + channels_in;
    six.end = from + channels->depth;
    from += channels->depth + channels->skip;
    if (sums == NULL) {
      satkd_set_sums(six.sums, bias[c], bias[c]);
    } else {
      __builtin_memcpy(six.sums, sums + (6 * c), sizeof six.sums);
    }
    satkd_multiply_columns(&six);
    if (kept != NULL) {
      __builtin_memcpy(kept + (6 * c), six.sums, sizeof six.sums);
    } else if (six.is_last == 0) {
      satkd_write_triple(channels, c, six.sums, out + c);
      satkd_write_triple(channels, c, six.sums + 3, out + c + second);
    } else {
      /* written */
    }
  }
}

#endif /* SATKD_ENGINE_DSP_SIX_H */
