/* Kernels for Helium (Armv8.1-M MVE: Cortex-M52, M55, M85), for satkd_engine_kernels.c. VMLADAVA adds sixteen products of int8 to one
   sum, of four output channels by two pixels at a time; the four channels' sums are requantized as one vector. */
#ifndef SATKD_ENGINE_MVE_H
#define SATKD_ENGINE_MVE_H

#include "satkd_engine_mve_pixel.h"

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
/* The rest of a depth, 1 to 16: never a look behind the weights. */
#define SATKD_PREDICATE "ldr r11, [sp]\n\tldr r11, [r11, #36]\n\tvctp.8 r11\n\t"
#define SATKD_LAST SATKD_PREDICATE SATKD_STEP("vmladava", SATKD_LOAD_REST) "add r9, r9, r11\n\t"
#define SATKD_ONLY SATKD_PREDICATE SATKD_STEP("vmladav", SATKD_LOAD_REST) "add r9, r9, r11\n\t"
/* Steps as r11 counts them: four for each three, and one for each beyond. */
#define SATKD_LOOPS                                                    \
  "subs r11, #4\n\tblt 3f\n2:\n\t" SATKD_NEXT SATKD_NEXT SATKD_NEXT   \
  "subs r11, #4\n\tbge 2b\n3:\n\t"                                    \
  "adds r11, #4\n\tbeq 5f\n4:\n\t" SATKD_NEXT "subs r11, #1\n\tbne 4b\n5:\n\t"

/* Three steps, r11 times. */
#define SATKD_THREES "2:\n\t" SATKD_NEXT SATKD_NEXT SATKD_NEXT "subs r11, #1\n\tbne 2b\n\t"

/* The state of the assembly, which has no registers left for it. */
typedef struct satkd_fours {
  const int8_t *inputs;
  int32_t steps;
  const int8_t *weights;
  int32_t depth;
  const int32_t *bias;
  const int32_t *multipliers;
  const int8_t *shifts;
  int8_t *out;
  int32_t count; /* of four channels each */
  int32_t rest;
  int32_t zero_point;
  uint32_t has_right_shifts;
} satkd_fours;
typedef char satkd_has_right_shifts_is_at_44[(offsetof(satkd_fours, has_right_shifts) == 44u) ? 1 : -1];

/* TFLM's MultiplyByQuantizedMultiplier (kernels/internal/common.h, double rounding) for two times four values. VQRDMULH is its
   SaturatingRoundingDoublingHighMul; VRSHL rounds halves up and RoundingDivideByPOT away from zero, so that negative
   values are made less by one first where they are shifted right at all. */
#define SATKD_MULTIPLY                  \
  "vqrdmulh.s32 q0, q0, q2\n\t"         \
  "vqrdmulh.s32 q1, q1, q2\n\t"
#define SATKD_REQUANTIZE_RIGHT SATKD_MULTIPLY   \
  "vshr.s32 q2, q0, #31\n\t"                    \
  "vshr.s32 q4, q1, #31\n\t"
#define SATKD_REQUANTIZE                \
  "vmov.i32 q4, #0\n\t"                 \
  "vmax.s32 q4, q3, q4\n\t"             \
  "vshl.s32 q0, q0, q4\n\t"             \
  "vshl.s32 q1, q1, q4\n\t"             \
  "vmov.i32 q4, #0\n\t"                 \
  "vmin.s32 q3, q3, q4\n\t"             \
  SATKD_MULTIPLY                        \
  "vand q2, q0, q3\n\t"                 \
  "vand q4, q1, q3\n\t"                 \
  "vshr.s32 q2, q2, #31\n\t"            \
  "vshr.s32 q4, q4, #31\n\t"

/* Pushed: satkd_fours, and r7 of the compiler: 8 bytes that -fstack-usage does not count. */
#define SATKD_FOUR_CHANNELS(steps)            \
  "push {r0, r7}\n\t"                         \
  "1:\n\t"                                    \
  "ldr r11, [sp]\n\t"                         \
  "ldrd r3, r5, [r11, #8]\n\t"                \
  "add r7, r3, r5, lsl #1\n\t"                \
  "add r9, r7, r5\n\t"                        \
  "add r5, r3, r5\n\t"                        \
  "ldrd r1, r11, [r11]\n\t" steps             \
  "vmov q0[2], q0[0], r0, r8\n\t"             \
  "vmov q0[3], q0[1], r4, r12\n\t"            \
  "vmov q1[2], q1[0], r2, r10\n\t"            \
  "vmov q1[3], q1[1], r6, lr\n\t"             \
  "ldr r1, [sp]\n\t"                          \
  "str r9, [r1, #8]\n\t"                      \
  "ldrd r3, r5, [r1, #16]\n\t"                \
  "ldrd r7, r9, [r1, #24]\n\t"                \
  "vldrw.32 q2, [r3], #16\n\t"                \
  "vadd.i32 q0, q0, q2\n\t"                   \
  "vadd.i32 q1, q1, q2\n\t"                   \
  "vldrw.32 q2, [r5], #16\n\t"                \
  "vldrb.s32 q3, [r7], #4\n\t"                \
  "strd r3, r5, [r1, #16]\n\t"                \
  "ldrd r3, r5, [r1, #40]\n\t"                \
  "cbz r5, 6f\n\t" SATKD_REQUANTIZE_RIGHT     \
  "7:\n\t"                                    \
  "vqadd.s32 q0, q0, q2\n\t"                  \
  "vqadd.s32 q1, q1, q4\n\t"                  \
  "vrshl.s32 q0, q0, q3\n\t"                  \
  "vrshl.s32 q1, q1, q3\n\t"                  \
  "vqmovnb.s32 q0, q0\n\t"                    \
  "vqmovnt.s32 q0, q1\n\t"                    \
  "vqadd.s16 q0, q0, r3\n\t"                  \
  "vmax.s16 q0, q0, q5\n\t"                   \
  "vmin.s16 q0, q0, q6\n\t"                   \
  "vstrb.16 q0, [r9, q7]\n\t"                 \
  "adds r9, #4\n\t"                           \
  "ldr r3, [r1, #32]\n\t"                     \
  "strd r7, r9, [r1, #24]\n\t"                \
  "subs r3, #1\n\t"                           \
  "str r3, [r1, #32]\n\t"                     \
  "bne 1b\n\t"                                \
  "b 8f\n\t"                                  \
  "6:\n\t" SATKD_REQUANTIZE                   \
  "b 7b\n\t"                                  \
  "8:\n\t"                                    \
  "pop {r0, r7}\n\t"

#define SATKD_RUN_FOURS(fours, steps)                                                                                \
  do {                                                                                                               \
    register satkd_fours *r0 __asm__("r0") = (fours);                                                                \
    __asm__ volatile(SATKD_FOUR_CHANNELS(steps)                                                                      \
                     : "+r"(r0)                                                                                      \
                     : "w"(q5), "w"(q6), "w"(q7)                                                                     \
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", "q2",  \
                       "q3", "q4", "cc", "memory");                                                                  \
  } while (0)

/* Where the codes of two pixels and four channels go: pixels alternate. */
SATKD_INLINE uint16x8_t satkd_places(int32_t out_step) {
  const uint16x8_t lanes = vidupq_n_u16(0, 1);
  const uint16x8_t pixel = vandq_u16(lanes, vdupq_n_u16(1));
  return vmlaq_n_u16(vshrq_n_u16(lanes, 1), pixel, (uint16_t)out_step);
}

#define SATKD_GATHER_BLOCK             \
  "vldrb.8 q0, [%[first]], #16\n\t"    \
  "vldrb.8 q1, [%[second]], #16\n\t"   \
  "vstrb.8 q0, [%[to]], #16\n\t"       \
  "vstrb.8 q1, [%[to]], #16\n\t"
#define SATKD_GATHER(blocks)                                                                       \
  __asm__ volatile("1:\n\t" blocks "subs %[left], #1\n\tbne 1b\n\t"                                \
                   : [first] "+r"(first), [second] "+r"(second), [left] "+r"(left), [to] "+r"(to)  \
                   :                                                                               \
                   : "q0", "q1", "cc", "memory")

/* The patches of two output pixels `step` input bytes apart, 16 bytes of each in turn. */
SATKD_INLINE void satkd_gather_blocks(const int8_t *const *rows, int32_t start, int32_t step, int32_t kernel_height,
                                      int32_t blocks, int8_t *to) {
  for (int32_t y = 0; y < kernel_height; ++y) {
    const int8_t *first = rows[y] + start;
    const int8_t *second = first + step;
    int32_t left = blocks;
    if ((blocks % 3) == 0) {
      left = blocks / 3;
      SATKD_GATHER(SATKD_GATHER_BLOCK SATKD_GATHER_BLOCK SATKD_GATHER_BLOCK);
    } else {
      SATKD_GATHER(SATKD_GATHER_BLOCK);
    }
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

SATKD_INLINE satkd_fours satkd_fours_of(const satkd_engine_layer *layer, const satkd_weights *constants,
                                        const int8_t *inputs) {
  const int32_t depth = layer->kernel_height * layer->kernel_width * layer->channels_in;
  const bool is_threes = ((depth % 48) == 0) && (depth > 48);
  const int32_t between = ((depth + 15) / 16) - 2; /* the first step and the rest */
  const satkd_fours fours = {
      .inputs = inputs,
      .steps = is_threes ? ((depth / 48) - 1) : (((between / 3) * 4) + (between % 3)),
      .weights = constants->weights,
      .depth = depth,
      .bias = constants->bias,
      .multipliers = constants->multipliers,
      .shifts = constants->shifts,
      .out = NULL,
      .count = 0,
      .rest = is_threes ? 0 : (((depth - 1) % 16) + 1),
      .zero_point = layer->zero_point_out,
      .has_right_shifts = layer->has_right_shifts,
  };
  return fours;
}

/* For the last four channels, which overlap those before. */
SATKD_INLINE void satkd_go_back(satkd_fours *fours, int32_t channels) {
  fours->weights -= channels * fours->depth;
  fours->bias -= channels;
  fours->multipliers -= channels;
  fours->shifts -= channels;
  fours->out -= channels;
  fours->count = 1;
}

/* A row of two pixels or more, and four channels or more. */
SATKD_SHARED void satkd_conv_pairs(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                                   int8_t *out, int32_t *scratch) {
  const int32_t width_out = layer->width_out;
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  const int32_t over = (int32_t)((0u - (uint32_t)layer->channels_out) % 4u);
  int8_t *const patches = (int8_t *)(void *)scratch;
  satkd_fours fours = satkd_fours_of(layer, constants, patches);
  register int16x8_t q5 __asm__("q5") = vdupq_n_s16((int16_t)layer->lowest);
  register int16x8_t q6 __asm__("q6") = vdupq_n_s16((int16_t)layer->highest);
  register uint16x8_t q7 __asm__("q7") = satkd_places(layer->channels_out);
  for (int32_t next = 0; next < width_out; next += 2) {
    /* The last two may overlap those before. */
    const int32_t x = ((next + 2) > width_out) ? (width_out - 2) : next;
    int32_t back = over;
    bool is_done = false;
    if ((row_bytes % 16) == 0) {
      satkd_gather_blocks(window->rows, x * pixel_bytes, pixel_bytes, layer->kernel_height, row_bytes / 16, patches);
    } else {
      satkd_gather_bytes(window->rows, x * pixel_bytes, pixel_bytes, layer->kernel_height, row_bytes, patches);
    }
    fours.weights = constants->weights;
    fours.bias = constants->bias;
    fours.multipliers = constants->multipliers;
    fours.shifts = constants->shifts;
    fours.out = out + (x * layer->channels_out);
    fours.count = layer->channels_out / 4;
    while (!is_done) {
      if (fours.rest == 0) {
        SATKD_RUN_FOURS(&fours, SATKD_FIRST SATKD_NEXT SATKD_NEXT SATKD_THREES);
      } else if (fours.depth > 16) {
        SATKD_RUN_FOURS(&fours, SATKD_FIRST SATKD_LOOPS SATKD_LAST);
      } else {
        SATKD_RUN_FOURS(&fours, SATKD_ONLY);
      }
      is_done = (back == 0);
      if (!is_done) {
        satkd_go_back(&fours, back);
        back = 0;
      }
    }
  }
}

/* reference/integer_ops/conv.h
     scratch: conv_scratch_bytes in rows/fast_kernels.py. */
void satkd_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                    int8_t *out, int32_t *scratch) {
  if (layer->width_out == 1) {
    satkd_conv_pixel(layer, constants, window->rows, out);
  } else if (layer->channels_out < 4) {
    satkd_conv_row_portable(layer, constants, window, out);
  } else {
    satkd_conv_pairs(layer, constants, window, out, scratch);
  }
}

#endif /* SATKD_ENGINE_MVE_H */
