/* A channel by six neighbouring pixels for cores with the DSP extension, for satkd_engine_dsp.h: kernels three wide. */
#ifndef SATKD_ENGINE_DSP_COLUMNS_H
#define SATKD_ENGINE_DSP_COLUMNS_H

#include "satkd_engine_dsp_six.h"

/* Columns of inputs under six neighbouring pixels. */
#define SATKD_COLUMNS 8

/* Widens eight neighbouring pixels of `channels`, a multiple of 16, four channels of each in turn: the 16-bit pairs (0, 2) of
   all eight, then the pairs (1, 3). */
SATKD_SHARED void satkd_widen_columns(const int8_t *from, int32_t channels, int32_t *to) {
  const int8_t *const last = from + (SATKD_COLUMNS * channels);
  const int8_t *end = from;
  __asm__ volatile(
      "1:\n\t"
      "add %[end], %[end], %[channels]\n\t"
      "2:\n\t"
      "ldr r4, [%[from], #4]\n\t"
      "ldr r5, [%[from], #8]\n\t"
      "ldr r6, [%[from], #12]\n\t"
      "ldr r3, [%[from]], #16\n\t"
      "sxtb16 r8, r4\n\t"
      "sxtb16 r4, r4, ror #8\n\t"
      "str r8, [%[to], #64]\n\t"
      "str r4, [%[to], #96]\n\t"
      "sxtb16 r8, r5\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "str r8, [%[to], #128]\n\t"
      "str r5, [%[to], #160]\n\t"
      "sxtb16 r8, r6\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "str r8, [%[to], #192]\n\t"
      "str r6, [%[to], #224]\n\t"
      "sxtb16 r8, r3\n\t"
      "sxtb16 r3, r3, ror #8\n\t"
      "cmp %[from], %[end]\n\t"
      "str r8, [%[to]], #32\n\t"
      "str r3, [%[to]], #224\n\t"
      "bne 2b\n\t"
      "sub %[to], %[to], %[channels], lsl #4\n\t"
      "add %[to], %[to], #4\n\t"
      "cmp %[from], %[last]\n\t"
      "bne 1b\n\t"
      : [from] "+r"(from), [to] "+r"(to), [end] "+r"(end)
      : [channels] "r"(channels), [last] "r"(last)
      : "r3", "r4", "r5", "r6", "r8", "cc", "memory");
}

/* Two weights at each of three taps by eight columns' widened inputs: an input is loaded once for up to three products. */
#define SATKD_TAPS(advance, rotation)    \
  "ldr lr, [r8, r10, lsl #1]\n\t"        \
  "ldr r12, [r8, r10]\n\t"               \
  "ldr r11, [r8]" advance "\n\t"         \
  "ldr r1, [r9, #4]\n\t"                 \
  "ldr r0, [r9], #8\n\t"                 \
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

#define SATKD_COLUMN_SUMS                                     \
  "1:\n\t"                                                    \
  "ldr r1, [r0, " SATKD_SUMS "]\n\t"                          \
  "ldr r3, [r0, " SATKD_BIAS "]\n\t" SATKD_OPEN_WEIGHTS       \
  "cmp r1, #0\n\t"                                            \
  "add r12, r8, r10\n\t"                                      \
  "add r11, r8, r11\n\t"                                      \
  "strd r12, r11, [sp, #4]\n\t"                               \
  "bne 5f\n\t"                                                \
  "ldr r2, [r3], #4\n\t"                                      \
  "str r3, [r0, " SATKD_BIAS "]\n\t"                          \
  "mov r3, r2\n\t"                                            \
  "mov r4, r2\n\t"                                            \
  "mov r5, r2\n\t"                                            \
  "mov r6, r2\n\t"                                            \
  "mov r7, r2\n\t"                                            \
  "6:\n\t"

#define SATKD_COLUMN_ROWS                                                       \
  "2:\n\t" SATKD_TAPS_STEP SATKD_TAPS_STEP SATKD_TAPS_STEP SATKD_TAPS_STEP      \
  "ldrd r0, r1, [sp, #4]\n\t"                                                   \
  "cmp r8, r0\n\t"                                                              \
  "bne 2b\n\t"                                                                  \
  "add r8, r8, r10, lsl #1\n\t"                                                 \
  "add r0, r8, r10\n\t"                                                         \
  "str r0, [sp, #4]\n\t"                                                        \
  "cmp r8, r1\n\t"                                                              \
  "bne 2b\n\t"                                                                  \
  "ldr r0, [sp]\n\t"                                                            \
  "ldr r12, [r0, " SATKD_SKIP "]\n\t"                                           \
  "ldr r1, [r0, " SATKD_KEPT "]\n\t"                                            \
  "ldr r10, [r0, " SATKD_OUT_STEP "]\n\t"                                       \
  "add r8, r8, r12\n\t"                                                         \
  "cmp r1, #0\n\t"                                                              \
  "str r8, [r0, " SATKD_WEIGHTS "]\n\t"

#define SATKD_COLUMN_ENDS                                                                 \
  "bne 3f\n\t" SATKD_PREPARE("], #1", "], #4") SATKD_ADVANCE SATKD_ADDEND                 \
  SATKD_WRITE_3("r2", "r3", "r4")                                                         \
  "add lr, lr, r10\n\t"                                                                   \
  "add lr, lr, r10, lsl #1\n\t" SATKD_WRITE_3("r5", "r6", "r7")                           \
  "b 4f\n\t"                                                                              \
  "3:\n\t"                                                                                \
  "stmia r1!, {r2, r3, r4, r5, r6, r7}\n\t"                                               \
  "str r1, [r0, " SATKD_KEPT "]\n\t"                                                      \
  "4:\n\t" SATKD_NEXT_CHANNEL                                                             \
  "b 7f\n\t"                                                                              \
  "5:\n\t"                                                                                \
  "ldmia r1!, {r2, r3, r4, r5, r6, r7}\n\t"                                               \
  "str r1, [r0, " SATKD_SUMS "]\n\t"                                                      \
  "b 6b\n\t"                                                                              \
  "7:\n\t"

/* `count` channels by six neighbouring pixels: kernel rows of three taps of `step` weights, a multiple of 16. */
SATKD_SHARED void satkd_multiply_columns(satkd_six *six) {
  SATKD_MULTIPLY_SIX(six, SATKD_COLUMN_SUMS SATKD_COLUMN_ROWS SATKD_COLUMN_ENDS);
}

#endif /* SATKD_ENGINE_DSP_COLUMNS_H */
