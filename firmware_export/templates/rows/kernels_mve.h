/* Kernels for Helium (Armv8.1-M MVE: Cortex-M52, M55, M85). VMLADAVA adds sixteen products of int8 to one sum, of
   four output channels by two pixels at a time; the four channels' sums are requantized as one vector. Clang keeps r7,
   which the assembly takes: it gets the DSP kernels. */

#include <arm_mve.h>

/* Room in the registers is found by the optimizer only. */
#if defined(__clang__)
#define SATKD_SHARED static __attribute__((noinline, unused))
#else
#define SATKD_SHARED static __attribute__((noinline, unused, optimize("O2", "omit-frame-pointer")))
#endif

/* TFLM's MultiplyByQuantizedMultiplier (kernels/internal/common.h, double rounding) for four values. VQRDMULH is its
 * SaturatingRoundingDoublingHighMul; VRSHL rounds halves up and RoundingDivideByPOT away from zero, so that negative
 * values are made less by one first where they are shifted right at all. */
SATKD_KERNEL int32x4_t satkd_requantize_4(int32x4_t values, int32x4_t multipliers,
                                                                          int32x4_t left, int32x4_t right) {
  const int32x4_t scaled = vqrdmulhq_s32(vshlq_s32(values, left), multipliers);
  return vrshlq_s32(vqaddq_s32(scaled, vshrq_n_s32(vandq_s32(scaled, right), 31)), right);
}

/* The same with one multiplier and shift for all. */
SATKD_KERNEL int32x4_t satkd_requantize_all(int32x4_t values, int32_t multiplier, int shift) {
  if (shift >= 0) return vqrdmulhq_n_s32(vshlq_r_s32(values, shift), multiplier);
  const int32x4_t scaled = vqrdmulhq_n_s32(values, multiplier);
  return vrshlq_n_s32(vqaddq_s32(scaled, vshrq_n_s32(scaled, 31)), shift);
}

/* Sixteen weights of four channels (at r3, r5, r7, r9) by two pixels' inputs (at r1), added to eight sums in the even
 * registers, the only ones that VMLADAVA takes. */
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

/* The output channels of two pixels. */
typedef struct satkd_channels {
  int count;
  int group; /* 4, or 1 where there are fewer than 4: each of them is then computed four times */
  int depth;
  const int8_t *weights;
  const int32_t *bias, *multiplier;
  const int8_t *shift;
  int out_step; /* from a pixel's codes to the next one's */
  int32_t output_zero_point, lowest, highest;
} satkd_channels;

SATKD_SHARED void satkd_channels_2(const satkd_channels *channels, const int8_t *patches, int8_t *out) {
  const int depth = channels->depth, blocks = depth / 16, after_first = blocks - (blocks < 3 ? 1 : 3);
  const int steps = after_first / 3 * 4 + after_first % 3;
  const int apart = channels->group == 1 ? 0 : depth;
  const int32x4_t rest = vdupq_n_s32(depth % 16), zero = vdupq_n_s32(0), lowest = vdupq_n_s32(channels->lowest);
  const int32x4_t highest = vdupq_n_s32(channels->highest);
  const int group = channels->group, last = channels->count - group;
  const int32_t *const bias = channels->bias;
  for (int next = 0; next < last + group; next += group) {
    const int channel = next < last ? next : last; /* the last four may overlap those before */
    int32x4_t first, second;
    {
      register const int8_t *inputs __asm__("r1") = patches;
      register const int8_t *a __asm__("r3") = channels->weights + channel * depth;
      register const int8_t *b __asm__("r5") = a + apart;
      register const int8_t *c __asm__("r7") = b + apart;
      register const int8_t *d __asm__("r9") = c + apart;
      register int count __asm__("r11") = steps;
      if (depth % 16 == 0) {
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
    int32x4_t biases, multipliers, shifts;
    if (group == 4) {
      biases = vldrwq_s32(bias + channel);
      multipliers = vldrwq_s32(channels->multiplier + channel);
      shifts = vldrbq_s32(channels->shift + channel);
    } else {
      biases = vdupq_n_s32(bias[channel]);
      multipliers = vdupq_n_s32(channels->multiplier[channel]);
      shifts = vdupq_n_s32(channels->shift[channel]);
    }
    const int32x4_t left = vmaxq_s32(shifts, zero), right = vminq_s32(shifts, zero);
    first = satkd_requantize_4(vaddq_s32(first, biases), multipliers, left, right);
    second = satkd_requantize_4(vaddq_s32(second, biases), multipliers, left, right);
    first = vaddq_n_s32(first, channels->output_zero_point);
    second = vaddq_n_s32(second, channels->output_zero_point);
    first = vmaxq_s32(vminq_s32(first, highest), lowest);
    second = vmaxq_s32(vminq_s32(second, highest), lowest);
    int8_t *const to = out + channel;
    if (group == 4) {
      vstrbq_s32(to, first);
      vstrbq_s32(to + channels->out_step, second);
    } else {
      to[0] = (int8_t)vgetq_lane_s32(first, 0);
      to[channels->out_step] = (int8_t)vgetq_lane_s32(second, 0);
    }
  }
}

/* The patches of two output pixels `step` input bytes apart, 16 bytes of each in turn, zeros behind their ends. */
SATKD_KERNEL void satkd_gather_2(const int8_t *const *rows, int start, int step,
                                                                 int kernel_height, int row_bytes, int8_t *to) {
  if (row_bytes % 16 == 0) {
    for (int ky = 0; ky < kernel_height; ++ky) {
      const int8_t *const from = rows[ky] + start;
#pragma GCC unroll 3
      for (int k = 0; k < row_bytes; k += 16, to += 32) {
        vstrbq_s8(to, vldrbq_s8(from + k));
        vstrbq_s8(to + 16, vldrbq_s8(from + k + step));
      }
    }
  } else {
    const int depth = kernel_height * row_bytes;
    for (int pixel = 0; pixel < 2; ++pixel) {
      int8_t *const linear = to + (depth + 15) / 16 * 32;
      for (int ky = 0; ky < kernel_height; ++ky) {
        const int8_t *const from = rows[ky] + start + pixel * step;
        for (int k = 0; k < row_bytes; k += 16) {
          const mve_pred16_t some = vctp8q((uint32_t)(row_bytes - k));
          vstrbq_p_s8(linear + ky * row_bytes + k, vldrbq_z_s8(from + k, some), some);
        }
      }
      for (int k = 0; k < depth; k += 16) {
        vstrbq_s8(to + 2 * k + 16 * pixel, vldrbq_z_s8(linear + k, vctp8q((uint32_t)(depth - k))));
      }
    }
  }
}

/* One row of outputs of a convolution (reference/integer_ops/conv.h), as satkd_conv_row_portable has it.
     scratch: conv_scratch_bytes in rows/fast_kernels.py. */
SATKD_KERNEL void satkd_conv_row(const int8_t *const *rows, int8_t *out, const int8_t *weights, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int kernel_height, int kernel_width,
                                 int stride_width, int channels_in, int channels_out, int width_out,
                                 int32_t output_zero_point, int32_t lowest, int32_t highest, int32_t *scratch) {
  const int row_bytes = kernel_width * channels_in, depth = kernel_height * row_bytes;
  const int pixels = width_out == 1 ? 1 : 2; /* a lone pixel is computed twice */
  const satkd_channels channels = {channels_out, channels_out < 4 ? 1 : 4, depth, weights, bias, multiplier, shift,
                                   pixels == 1 ? 0 : channels_out, output_zero_point, lowest, highest};
  int8_t *const patches = (int8_t *)(void *)scratch;
  for (int next = 0; next < width_out; next += pixels) {
    const int x = next + pixels > width_out ? width_out - pixels : next; /* the last two may overlap those before */
    satkd_gather_2(rows, x * stride_width * channels_in, pixels == 1 ? 0 : stride_width * channels_in, kernel_height,
                   row_bytes, patches);
    satkd_channels_2(&channels, patches, out + x * channels_out);
  }
}

/* One term of satkd_add_row for four codes; the multiplier is at most a half. */
SATKD_KERNEL int32x4_t satkd_scale_terms(int32x4_t codes, int32_t zero_point, int32_t multiplier, int shift) {
  if (shift == 0 && multiplier == 1 << 30) {
    return vmlasq_n_s32(codes, vdupq_n_s32(1 << 19), -zero_point * (1 << 19));
  }
  const int32x4_t terms = vmlasq_n_s32(codes, vdupq_n_s32(1 << 20), -zero_point * (1 << 20));
  return satkd_requantize_all(terms, multiplier, shift);
}

/* Four codes of satkd_add_row. */
SATKD_KERNEL int32x4_t satkd_add_4(int32x4_t a, int32x4_t b, int32_t zero_point_a, int32_t multiplier_a, int shift_a,
                                   int32_t zero_point_b, int32_t multiplier_b, int shift_b, int32_t output_zero_point,
                                   int32_t multiplier, int shift, int32_t lowest, int32_t highest) {
  const int32x4_t sums = vaddq_s32(satkd_scale_terms(a, zero_point_a, multiplier_a, shift_a),
                                   satkd_scale_terms(b, zero_point_b, multiplier_b, shift_b));
  const int32x4_t values = vaddq_n_s32(satkd_requantize_all(sums, multiplier, shift), output_zero_point);
  return vmaxq_s32(vminq_s32(values, vdupq_n_s32(highest)), vdupq_n_s32(lowest));
}

/* a + b (reference/integer_ops/add.h). `out` may be `a` or `b`. */
SATKD_KERNEL void satkd_add_row(const int8_t *a, const int8_t *b, int8_t *out, int count, int32_t zero_point_a,
                                int32_t multiplier_a, int shift_a, int32_t zero_point_b, int32_t multiplier_b,
                                int shift_b, int32_t output_zero_point, int32_t multiplier, int shift, int32_t lowest,
                                int32_t highest) {
  const int fours = count / 4 * 4;
  for (int i = 0; i < fours; i += 4) {
    vstrbq_s32(out + i, satkd_add_4(vldrbq_s32(a + i), vldrbq_s32(b + i), zero_point_a, multiplier_a, shift_a,
                                    zero_point_b, multiplier_b, shift_b, output_zero_point, multiplier, shift, lowest,
                                    highest));
  }
  if (fours < count) {
    const mve_pred16_t rest = vctp32q((uint32_t)(count - fours));
    const int32x4_t rest_a = vldrbq_z_s32(a + fours, rest), rest_b = vldrbq_z_s32(b + fours, rest);
    vstrbq_p_s32(out + fours,
                 satkd_add_4(rest_a, rest_b, zero_point_a, multiplier_a, shift_a, zero_point_b, multiplier_b, shift_b,
                             output_zero_point, multiplier, shift, lowest, highest),
                 rest);
  }
}
