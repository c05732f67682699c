/* Six sums at a time for cores with the DSP extension, for satkd_engine_dsp.h: what three kernels share, and two of them, two
   channels by three pixels and a channel by four. */
#ifndef SATKD_ENGINE_DSP_SIX_H
#define SATKD_ENGINE_DSP_SIX_H

#include "satkd_engine_dsp_four.h"

/* The state of the assembly, which has no registers left for it. */
typedef struct satkd_six {
  const int32_t *bias;
  const int32_t *sums; /* instead of `bias`, or null */
  int32_t *kept;       /* where sums are kept instead of being written to `out`, or null */
  const int8_t *weights;
  const int32_t *inputs;
  int32_t step; /* columns: from a tap's weights to the next one's; pairs: from a channel to the other */
  int32_t depth;
  int32_t skip; /* as in satkd_channels */
  const int32_t *multipliers;
  const int8_t *shifts;
  int32_t zero_point;
  int8_t *out;
  int32_t out_step;
  int32_t count;
  int32_t rest; /* of a channel by four pixels: products behind the sixteens, which `depth` then counts */
} satkd_six;

#define SATKD_BIAS "#0"
#define SATKD_SUMS "#4"
#define SATKD_KEPT "#8"
#define SATKD_WEIGHTS "#12"
#define SATKD_INPUTS "#16"
#define SATKD_STEP_OF_SIX "#20"
#define SATKD_DEPTH "#24"
#define SATKD_SKIP "#28"
#define SATKD_MULTIPLIERS "#32"
#define SATKD_SHIFTS "#36"
#define SATKD_ZERO_POINT "#40"
#define SATKD_OUT "#44"
#define SATKD_OUT_STEP "#48"
#define SATKD_COUNT "#52"
#define SATKD_REST "#56"
typedef char satkd_rest_is_at_56[(offsetof(satkd_six, rest) == 56u) ? 1 : -1];

/* The sums are in r2 to r7, the weights in r8, the inputs in r9. Pushed: satkd_six, the end of a kernel row's weights, the end of a
   channel's weights, and r7 of the compiler: 16 bytes that -fstack-usage does not count. */
#define SATKD_ENTER "push {r0, r1, r2, r7}\n\t"
#define SATKD_LEAVE "pop {r0, r1, r2, r7}\n\t"

#define SATKD_OPEN_WEIGHTS                      \
  "ldr r8, [r0, " SATKD_WEIGHTS "]\n\t"         \
  "ldr r9, [r0, " SATKD_INPUTS "]\n\t"          \
  "ldr r10, [r0, " SATKD_STEP_OF_SIX "]\n\t"    \
  "ldr r11, [r0, " SATKD_DEPTH "]\n\t"

#define SATKD_NEXT_CHANNEL              \
  "ldr r1, [r0, " SATKD_COUNT "]\n\t"   \
  "subs r1, r1, #1\n\t"                 \
  "str r1, [r0, " SATKD_COUNT "]\n\t"   \
  "bne 1b\n\t"

/* Right shift in r8, multiplier in r11, and in r12 what is added: half of what the shift takes away, and the zero point. */
#define SATKD_PREPARE(shift, multiplier)         \
  "ldr r1, [r0, " SATKD_SHIFTS "]\n\t"           \
  "ldr r9, [r0, " SATKD_MULTIPLIERS "]\n\t"      \
  "ldr r12, [r0, " SATKD_ZERO_POINT "]\n\t"      \
  "ldr lr, [r0, " SATKD_OUT "]\n\t"              \
  "ldrsb r8, [r1" shift "\n\t"                   \
  "ldr r11, [r9" multiplier "\n\t"               \
  "rsb r8, r8, #0\n\t"

#define SATKD_ADVANCE                        \
  "str r1, [r0, " SATKD_SHIFTS "]\n\t"       \
  "str r9, [r0, " SATKD_MULTIPLIERS "]\n\t"  \
  "add r9, lr, #1\n\t"                       \
  "str r9, [r0, " SATKD_OUT "]\n\t"

#define SATKD_ADDEND                   \
  "mov r1, #1\n\t"                     \
  "lsl r1, r1, r8\n\t"                 \
  "lsl r12, r12, r8\n\t"               \
  "add r12, r12, r1, lsr #1\n\t"

/* satkd_requantize_right of three sums. */
#define SATKD_WRITE_3(a, b, c)            \
  "lsl r1, " a ", #1\n\t"                 \
  "smmlar r1, r1, r11, r12\n\t"           \
  "add " a ", r1, " a ", asr #31\n\t"     \
  "lsl r1, " b ", #1\n\t"                 \
  "smmlar r1, r1, r11, r12\n\t"           \
  "add " b ", r1, " b ", asr #31\n\t"     \
  "lsl r1, " c ", #1\n\t"                 \
  "smmlar r1, r1, r11, r12\n\t"           \
  "add " c ", r1, " c ", asr #31\n\t"     \
  "asr " a ", " a ", r8\n\t"              \
  "asr " b ", " b ", r8\n\t"              \
  "asr " c ", " c ", r8\n\t"              \
  "ssat " a ", #8, " a "\n\t"             \
  "ssat " b ", #8, " b "\n\t"             \
  "ssat " c ", #8, " c "\n\t"             \
  "strb " a ", [lr]\n\t"                  \
  "strb " b ", [lr, r10]\n\t"             \
  "strb " c ", [lr, r10, lsl #1]\n\t"

#define SATKD_MULTIPLY_SIX(six, text)                                                                               \
  do {                                                                                                              \
    register satkd_six *r0 __asm__("r0") = (six);                                                                   \
    __asm__ volatile(SATKD_ENTER text SATKD_LEAVE                                                                   \
                     : "+r"(r0)                                                                                     \
                     :                                                                                              \
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");   \
  } while (0)

/* Widens `bytes` (a multiple of 4) of three pixels `step` bytes apart, four bytes of each in turn: the 16-bit pairs (0, 2) of all
   three, then the pairs (1, 3), as SXTB16 will give the weights. */
SATKD_SHARED void satkd_widen_3(const int8_t *first, int32_t step, int32_t bytes, int32_t *to) {
  const int8_t *third = first + (2 * step);
  const int8_t *const end = first + bytes;
  __asm__ volatile(
      "1:\n\t"
      "ldr r9, [%[first], %[step]]\n\t"
      "ldr r10, [%[third]], #4\n\t"
      "ldr r8, [%[first]], #4\n\t"
      "sxtb16 r4, r8\n\t"
      "sxtb16 r5, r9\n\t"
      "sxtb16 r6, r10\n\t"
      "sxtb16 r8, r8, ror #8\n\t"
      "sxtb16 r9, r9, ror #8\n\t"
      "sxtb16 r10, r10, ror #8\n\t"
      "cmp %[first], %[end]\n\t"
      "stmia %[to]!, {r4, r5, r6, r8, r9, r10}\n\t"
      "bne 1b\n\t"
      : [first] "+r"(first), [third] "+r"(third), [to] "+r"(to)
      : [end] "r"(end), [step] "r"(step)
      : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
}

/* Four weights of two channels by three pixels' widened inputs. The distance of the two channels' weights is a constant in the
   instructions, for want of registers. */
#define SATKD_DISTANCE 1152
#define SATKD_PAIR_STEP                 \
  "ldr r12, [r8, #1152]\n\t"            \
  "ldr r11, [r8], #4\n\t"               \
  "ldr r1, [r9, #4]\n\t"                \
  "ldr r10, [r9, #8]\n\t"               \
  "ldr r0, [r9], #12\n\t"               \
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

#define SATKD_PAIRS                                                                        \
  "1:\n\t"                                                                                 \
  "ldr r1, [r0, " SATKD_BIAS "]\n\t" SATKD_OPEN_WEIGHTS                                    \
  "ldr r5, [r1, r10, lsl #2]\n\t"                                                          \
  "ldr r2, [r1], #4\n\t"                                                                   \
  "add r11, r8, r11\n\t"                                                                   \
  "str r1, [r0, " SATKD_BIAS "]\n\t"                                                       \
  "str r11, [sp, #8]\n\t"                                                                  \
  "mov r3, r2\n\t"                                                                         \
  "mov r4, r2\n\t"                                                                         \
  "mov r6, r5\n\t"                                                                         \
  "mov r7, r5\n\t"                                                                         \
  "2:\n\t" SATKD_PAIR_STEPS SATKD_PAIR_STEPS SATKD_PAIR_STEPS                              \
  "ldr r0, [sp, #8]\n\t"                                                                   \
  "cmp r8, r0\n\t"                                                                         \
  "bne 2b\n\t"                                                                             \
  "ldr r0, [sp]\n\t"                                                                       \
  "ldr r10, [r0, " SATKD_OUT_STEP "]\n\t"                                                  \
  "str r8, [r0, " SATKD_WEIGHTS "]\n\t" SATKD_PREPARE("]", "]") SATKD_ADDEND               \
  SATKD_WRITE_3("r2", "r3", "r4")                                                          \
  "ldr r2, [r0, " SATKD_STEP_OF_SIX "]\n\t"                                                \
  SATKD_PREPARE(", r2]", ", r2, lsl #2]")                                                  \
  "add r1, r1, #1\n\t"                                                                     \
  "add r9, r9, #4\n\t" SATKD_ADVANCE                                                       \
  "add lr, lr, r2\n\t" SATKD_ADDEND SATKD_WRITE_3("r5", "r6", "r7") SATKD_NEXT_CHANNEL

/* `count` pairs of channels by three pixels: depths that are multiples of 48. */
SATKD_SHARED void satkd_multiply_pairs(satkd_six *six) {
  SATKD_MULTIPLY_SIX(six, SATKD_PAIRS);
}

/* Four weights of a channel by four pixels' widened inputs, see satkd_widen_4. */
#define SATKD_FOUR_STEP                  \
  "ldr r12, [r8], #4\n\t"                \
  "ldmia r9!, {r6, r7, r10, r11}\n\t"    \
  "sxtb16 lr, r12\n\t"                   \
  "smlad r2, lr, r6, r2\n\t"             \
  "smlad r3, lr, r7, r3\n\t"             \
  "smlad r4, lr, r10, r4\n\t"            \
  "smlad r5, lr, r11, r5\n\t"            \
  "ldmia r9!, {r6, r7, r10, r11}\n\t"    \
  "sxtb16 r12, r12, ror #8\n\t"          \
  "smlad r2, r12, r6, r2\n\t"            \
  "smlad r3, r12, r7, r3\n\t"            \
  "smlad r4, r12, r10, r4\n\t"           \
  "smlad r5, r12, r11, r5\n\t"
#define SATKD_CHANNELS_BY_FOUR                                                             \
  "1:\n\t"                                                                                 \
  "ldr r1, [r0, " SATKD_BIAS "]\n\t"                                                       \
  "ldr r8, [r0, " SATKD_WEIGHTS "]\n\t"                                                    \
  "ldr r9, [r0, " SATKD_INPUTS "]\n\t"                                                     \
  "ldr r2, [r1], #4\n\t"                                                                   \
  "str r1, [r0, " SATKD_BIAS "]\n\t"                                                       \
  "ldr r1, [r0, " SATKD_DEPTH "]\n\t"                                                      \
  "mov r3, r2\n\t"                                                                         \
  "mov r4, r2\n\t"                                                                         \
  "mov r5, r2\n\t"                                                                         \
  "cmp r1, #0\n\t"                                                                         \
  "beq 3f\n\t"                                                                             \
  "add r1, r8, r1\n\t"                                                                     \
  "2:\n\t" SATKD_FOUR_STEP SATKD_FOUR_STEP SATKD_FOUR_STEP SATKD_FOUR_STEP                 \
  "cmp r8, r1\n\t"                                                                         \
  "bne 2b\n\t"                                                                             \
  "3:\n\t"                                                                                 \
  "ldr r1, [r0, " SATKD_REST "]\n\t"                                                       \
  "cbz r1, 5f\n\t"                                                                         \
  "add r1, r8, r1\n\t"                                                                     \
  "4:\n\t" SATKD_FOUR_STEP                                                                 \
  "cmp r8, r1\n\t"                                                                         \
  "bne 4b\n\t"                                                                             \
  "5:\n\t"                                                                                 \
  "ldr r1, [r0, " SATKD_SKIP "]\n\t"                                                       \
  "add r8, r8, r1\n\t"                                                                     \
  "str r8, [r0, " SATKD_WEIGHTS "]\n\t"                                                    \
  "ldr r10, [r0, " SATKD_OUT_STEP "]\n\t"                                                  \
  SATKD_PREPARE("], #1", "], #4") SATKD_ADVANCE SATKD_ADDEND                               \
  SATKD_WRITE_3("r2", "r3", "r4")                                                          \
  "lsl r1, r5, #1\n\t"                                                                     \
  "smmlar r1, r1, r11, r12\n\t"                                                            \
  "add r5, r1, r5, asr #31\n\t"                                                            \
  "asr r5, r5, r8\n\t"                                                                     \
  "ssat r5, #8, r5\n\t"                                                                    \
  "add r10, r10, r10, lsl #1\n\t"                                                          \
  "strb r5, [lr, r10]\n\t" SATKD_NEXT_CHANNEL

/* `count` channels by four pixels: whole patches, widened by satkd_widen_4. Where a patch is no multiple of four inputs, zeros follow
   it, and a channel's last weights are read with up to three bytes behind them: of the next channel, or of the model's next bytes. */
SATKD_SHARED void satkd_multiply_four(satkd_six *six) {
  const int32_t padded = (int32_t)(((uint32_t)six->depth + 3u) & ~(uint32_t)3);
  six->skip = six->depth - padded;
  six->rest = (int32_t)((uint32_t)padded % 16u);
  six->depth = padded - six->rest;
  SATKD_MULTIPLY_SIX(six, SATKD_CHANNELS_BY_FOUR);
}

#endif /* SATKD_ENGINE_DSP_SIX_H */
