/* Kernels for cores with the DSP extension (Armv7E-M: Cortex-M4, M7; Armv8-M with DSP: M33). SMLAD multiplies two pairs
 * of 16-bit numbers and adds both products, so that four pixels' patches are widened into `scratch` once for all output
 * channels, and weights as they are read. */

/* (2 * value * multiplier + 2^31) >> 32, plus `addend`: satkd_high_product for -2^30 <= value < 2^30. */
SATKD_KERNEL int32_t satkd_scale(int32_t value, int32_t multiplier, int32_t addend) {
  int32_t result;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(value * 2), "r"(multiplier), "r"(addend));
  return result;
}

/* satkd_requantize for -2^30 <= value < 2^30, right shifts of 1 to 31, and half of what the shift takes away: half is
   added before the shift, less one where the value is negative, so that halves go away from zero. */
SATKD_KERNEL int32_t satkd_requantize_right(int32_t value, int32_t multiplier, int32_t half, int right) {
  return (satkd_scale(value, multiplier, half) + (value >> 31)) >> right;
}

/* The same for other shifts: too rare for room in every layer. */
static __attribute__((noinline, unused)) int32_t satkd_requantize_left(int32_t value, int32_t multiplier, int shift) {
  return satkd_requantize(value, multiplier, shift);
}

SATKD_KERNEL int8_t satkd_saturate(int32_t value, int32_t lowest, int32_t highest) {
  if (lowest != -128 || highest != 127) return satkd_clamp(value, lowest, highest);
  __asm__("ssat %0, #8, %0" : "+r"(value));
  return (int8_t)value;
}

/* Widens `bytes` (a multiple of 4) of four pixels `step` bytes apart, four bytes of each in turn: the 16-bit pairs
 * (0, 2) of all four, then the pairs (1, 3), as SXTB16 will give the weights. Returns the end of what it wrote. */
SATKD_KERNEL int32_t *satkd_widen_4(const int8_t *first, int step, int bytes,
                                                                    int32_t *to) {
  const int8_t *const end = first + bytes;
  __asm__ volatile(
      "1:\n\t"
      "add r9, %[first], %[step], lsl #1\n\t"
      "ldr r6, [%[first], %[step]]\n\t"
      "ldr r5, [%[first]], #4\n\t"
      "ldr r8, [r9]\n\t"
      "ldr r9, [r9, %[step]]\n\t"
      "sxtb16 r1, r5\n\t"
      "sxtb16 r2, r6\n\t"
      "sxtb16 r3, r8\n\t"
      "sxtb16 r4, r9\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "sxtb16 r8, r8, ror #8\n\t"
      "sxtb16 r9, r9, ror #8\n\t"
      "cmp %[first], %[end]\n\t"
      "stmia %[to]!, {r1, r2, r3, r4, r5, r6, r8, r9}\n\t"
      "bne 1b\n\t"
      : [first] "+r"(first), [to] "+r"(to)
      : [end] "r"(end), [step] "r"(step)
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "cc", "memory");
  return to;
}

/* Four weights by four pixels' widened inputs. */
#define SATKD_MULTIPLY_4                    \
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
#define SATKD_STEP_4 "ldr %[w], [%[weights]], #4\n\t" SATKD_MULTIPLY_4

#define SATKD_DOT_4(steps)                                                                                            \
  __asm__ volatile("1:\n\t" steps                                                                                     \
                   "cmp %[weights], %[end]\n\t"                                                                       \
                   "bne 1b\n\t"                                                                                       \
                   : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [weights] "+r"(weights),             \
                     [patches] "+r"(patches), [w] "=&r"(w), [even] "=&r"(even)                                        \
                   : [end] "r"(end)                                                                                   \
                   : "r3", "r4", "r5", "r6", "cc", "memory")

/* One output channel of four pixels, requantized and written `out_step` codes apart. Returns the next channel's weights.
   What it needs after the products is read after them: there are registers for no more. */
SATKD_KERNEL const int8_t *satkd_channel_4(const int32_t *patches, const int8_t *weights, int depth,
                                           const int32_t *bias, const int32_t *multipliers, const int8_t *shifts,
                                           int8_t *out, int out_step, int32_t output_zero_point, int32_t lowest,
                                           int32_t highest) {
  int32_t a0 = *bias, a1 = a0, a2 = a0, a3 = a0, w, even;
  const int8_t *const end = weights + (depth & ~3);
  if (depth % 16 == 0) {
    SATKD_DOT_4(SATKD_STEP_4 SATKD_STEP_4 SATKD_STEP_4 SATKD_STEP_4);
  } else if (depth % 8 == 0) {
    SATKD_DOT_4(SATKD_STEP_4 SATKD_STEP_4);
  } else if (depth >= 4) {
    SATKD_DOT_4(SATKD_STEP_4);
  }
  if (depth % 4 != 0) {
    w = 0;
    __builtin_memcpy(&w, weights, (size_t)(depth % 4));
    weights += depth % 4;
    __asm__ volatile(SATKD_MULTIPLY_4
                     : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [patches] "+r"(patches),
                       [w] "+r"(w), [even] "=&r"(even)
                     :
                     : "r3", "r4", "r5", "r6", "memory");
  }
  const int32_t multiplier = *multipliers;
  const int shift = *shifts;
  if (shift < 0) {
    const int32_t half = (int32_t)((uint32_t)1 << (-shift - 1));
    a0 = satkd_requantize_right(a0, multiplier, half, -shift);
    a1 = satkd_requantize_right(a1, multiplier, half, -shift);
    a2 = satkd_requantize_right(a2, multiplier, half, -shift);
    a3 = satkd_requantize_right(a3, multiplier, half, -shift);
  } else {
    a0 = satkd_requantize_left(a0, multiplier, shift);
    a1 = satkd_requantize_left(a1, multiplier, shift);
    a2 = satkd_requantize_left(a2, multiplier, shift);
    a3 = satkd_requantize_left(a3, multiplier, shift);
  }
  out[0] = satkd_saturate(a0 + output_zero_point, lowest, highest);
  out[out_step] = satkd_saturate(a1 + output_zero_point, lowest, highest);
  out[2 * out_step] = satkd_saturate(a2 + output_zero_point, lowest, highest);
  out[3 * out_step] = satkd_saturate(a3 + output_zero_point, lowest, highest);
  return weights;
}

/* The patches of four output pixels `step` input bytes apart, widened. A kernel row of a patch is contiguous in its
 * input row; where it is no whole number of words, the patches are first put together behind the widened ones. */
SATKD_KERNEL void satkd_gather_4(const int8_t *const *rows, int start, int step,
                                                                 int kernel_height, int row_bytes, int32_t *scratch) {
  if (row_bytes % 4 == 0) {
    for (int ky = 0; ky < kernel_height; ++ky) scratch = satkd_widen_4(rows[ky] + start, step, row_bytes, scratch);
  } else {
    const int padded = (kernel_height * row_bytes + 3) / 4 * 4;
    int8_t *const patches = (int8_t *)(scratch + padded * 2);
    for (int pixel = 0; pixel < 4; ++pixel) {
      int8_t *to = patches + pixel * padded;
      ((int32_t *)(void *)to)[padded / 4 - 1] = 0;
      for (int ky = 0; ky < kernel_height; ++ky, to += row_bytes) {
        __builtin_memcpy(to, rows[ky] + start + pixel * step, (size_t)row_bytes);
      }
    }
    satkd_widen_4(patches, padded, padded, scratch);
  }
}

/* One row of outputs of a convolution. `scratch`: satkd_conv_row's bytes in packing.py, aligned to 4. */
SATKD_KERNEL void satkd_conv_row(
    const int8_t *const *rows, int8_t *out, const int8_t *weights, const int32_t *bias, const int32_t *multiplier,
    const int8_t *shift, int kernel_height, int kernel_width, int stride_width, int channels_in, int channels_out,
    int width_out, int32_t output_zero_point, int32_t lowest, int32_t highest, int32_t *scratch) {
  const int depth = kernel_height * kernel_width * channels_in;
  const int pixels = width_out < 4 ? 1 : 4; /* a narrow row has each of its pixels computed four times */
  const int step = pixels == 1 ? 0 : stride_width * channels_in;
  const int out_step = pixels == 1 ? 0 : channels_out;
  for (int next = 0; next < width_out; next += pixels) {
    const int x = next + pixels > width_out ? width_out - pixels : next; /* the last four may overlap those before */
    satkd_gather_4(rows, x * stride_width * channels_in, step, kernel_height, kernel_width * channels_in, scratch);
    const int8_t *w = weights;
    for (int c = 0; c < channels_out; ++c) {
      __asm__("" : "+r"(c)); /* one counter instead of a pointer into each array */
      w = satkd_channel_4(scratch, w, depth, bias + c, multiplier + c, shift + c, out + x * channels_out + c, out_step,
                          output_zero_point, lowest, highest);
    }
  }
}

/* satkd_requantize in satkd_add_row, where no value comes near 2^30. */
SATKD_KERNEL int32_t satkd_requantize_term(int32_t value, int32_t multiplier, int shift) {
  if (shift >= 0) return satkd_requantize_left(value, multiplier, shift);
  return satkd_requantize_right(value, multiplier, (int32_t)((uint32_t)1 << (-shift - 1)), -shift);
}

SATKD_KERNEL int32_t satkd_scale_term(int32_t code, int32_t zero_point, int32_t multiplier, int shift) {
  const int32_t term = (code - zero_point) * (1 << 20);
  return shift == 0 && multiplier == 1 << 30 ? term / 2 : satkd_requantize_term(term, multiplier, shift);
}

/* a + b (reference/integer_ops/add.h). `out` may be `a` or `b`. */
SATKD_KERNEL void satkd_add_row(const int8_t *a, const int8_t *b, int8_t *out, int count, int32_t zero_point_a,
                                int32_t multiplier_a, int shift_a, int32_t zero_point_b, int32_t multiplier_b,
                                int shift_b, int32_t output_zero_point, int32_t multiplier, int shift, int32_t lowest,
                                int32_t highest) {
#pragma GCC unroll 4
  for (int i = 0; i < count; ++i) {
    const int32_t sum = satkd_scale_term(a[i], zero_point_a, multiplier_a, shift_a) +
                        satkd_scale_term(b[i], zero_point_b, multiplier_b, shift_b);
    const int32_t value = satkd_requantize_term(sum, multiplier, shift) + output_zero_point;
    out[i] = satkd_saturate(value, lowest, highest);
  }
}
