/* Kernels for cores with the DSP extension (Armv7E-M: Cortex-M4, M7; Armv8-M with DSP: M33). SMLAD multiplies two pairs
 * of 16-bit numbers and adds both products, so that four pixels' patches are widened into `scratch` once for all output
   channels, and weights as they are read. What is written in assembly has functions of its own: it takes nearly every
   register, and once is enough in flash. */

/* Room in the registers is found by the optimizer only. */
#if defined(__clang__)
#define SATKD_SHARED static __attribute__((noinline, unused))
#else
#define SATKD_SHARED static __attribute__((noinline, unused, optimize("O2", "omit-frame-pointer")))
#endif

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
SATKD_SHARED int32_t satkd_requantize_left(int32_t value, int32_t multiplier, int shift) {
  return satkd_requantize(value, multiplier, shift);
}

SATKD_KERNEL int8_t satkd_saturate(int32_t value) {
  __asm__("ssat %0, #8, %0" : "+r"(value));
  return (int8_t)value;
}

/* Widens `bytes` (a multiple of 4) of four pixels `step` bytes apart, four bytes of each in turn: the 16-bit pairs
   (0, 2) of all four, then the pairs (1, 3), as SXTB16 will give the weights. */
SATKD_SHARED void satkd_widen_4(const int8_t *first, int step, int bytes, int32_t *to) {
  const int8_t *third = first + 2 * step;
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
  int count;
  int depth; /* products of a channel in this part of the patches */
  int skip;  /* weights between this part's and the next channel's */
  const int32_t *multiplier;
  const int8_t *shift;
  int out_step; /* from a pixel's codes to the next one's */
  int32_t output_zero_point, lowest, highest;
} satkd_channels;

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
                                   const int32_t *initial, int pixel_step, int channel_step, int32_t *sums,
                                   int8_t *out) {
  const int depth = channels->depth, long_steps = depth / 48 * 48, steps = depth & ~3;
  const int is_narrow = channels->lowest != -128 || channels->highest != 127;
  for (int c = 0; c < channels->count; ++c) {
    __asm__("" : "+r"(c)); /* one counter instead of a pointer into each array */
    int32_t a0 = initial[0], a1 = initial[pixel_step], a2 = initial[2 * pixel_step], a3 = initial[3 * pixel_step];
    const int32_t *inputs = patches;
    const int8_t *end = weights + long_steps;
    int32_t w, even;
    initial += channel_step;
    if (long_steps != 0) SATKD_UNTIL_END(SATKD_STEPS SATKD_STEPS SATKD_STEPS);
    if (long_steps != depth) {
      end += steps - long_steps;
      if (weights != end) SATKD_UNTIL_END(SATKD_STEP);
      if (steps != depth) {
        w = 0;
        for (int i = depth - steps; i > 0; --i) w = (int32_t)((uint32_t)w << 8 | (uint8_t)weights[i - 1]);
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
      *sums++ = a0, *sums++ = a1, *sums++ = a2, *sums++ = a3;
      continue;
    }
    const int32_t multiplier = channels->multiplier[c];
    const int right = -channels->shift[c];
    if (right > 0) {
      const int32_t half = (int32_t)((uint32_t)1 << (right - 1));
      a0 = satkd_requantize_right(a0, multiplier, half, right);
      a1 = satkd_requantize_right(a1, multiplier, half, right);
      a2 = satkd_requantize_right(a2, multiplier, half, right);
      a3 = satkd_requantize_right(a3, multiplier, half, right);
    } else {
      a0 = satkd_requantize_left(a0, multiplier, -right);
      a1 = satkd_requantize_left(a1, multiplier, -right);
      a2 = satkd_requantize_left(a2, multiplier, -right);
      a3 = satkd_requantize_left(a3, multiplier, -right);
    }
    const int32_t zero_point = channels->output_zero_point;
    a0 += zero_point, a1 += zero_point, a2 += zero_point, a3 += zero_point;
    if (is_narrow) {
      const int32_t lowest = channels->lowest, highest = channels->highest;
      a0 = satkd_clamp(a0, lowest, highest), a1 = satkd_clamp(a1, lowest, highest);
      a2 = satkd_clamp(a2, lowest, highest), a3 = satkd_clamp(a3, lowest, highest);
    }
    const int step = channels->out_step;
    int8_t *const to = out + c;
    to[0] = satkd_saturate(a0);
    to[step] = satkd_saturate(a1);
    to[2 * step] = satkd_saturate(a2);
    to[3 * step] = satkd_saturate(a3);
  }
}

/* The patches of four output pixels put together, `padded` bytes each, where a kernel row is no whole number of words. */
SATKD_KERNEL void satkd_copy_patches_4(const int8_t *const *rows, int start, int step, int kernel_height, int row_bytes,
                                       int padded, int8_t *patches) {
  for (int pixel = 0; pixel < 4; ++pixel, patches += padded) {
    ((int32_t *)(void *)patches)[padded / 4 - 1] = 0;
    for (int ky = 0; ky < kernel_height; ++ky) {
      __builtin_memcpy(patches + ky * row_bytes, rows[ky] + start + pixel * step, (size_t)row_bytes);
    }
  }
}

/* Larger patches of four pixels are worked a kernel row at a time, with their sums in memory. */
#define SATKD_WHOLE_PATCHES_BYTES 2560

/* One row of outputs of a convolution (reference/integer_ops/conv.h), as satkd_conv_row_portable has it. Exact where no
   sum is beyond +-2^30 (fits_fast_sums in rows/fast_kernels.py).
     scratch: conv_scratch_bytes in rows/fast_kernels.py. */
SATKD_KERNEL void satkd_conv_row(const int8_t *const *rows, int8_t *out, const int8_t *weights, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int kernel_height, int kernel_width,
                                 int stride_width, int channels_in, int channels_out, int width_out,
                                 int32_t output_zero_point, int32_t lowest, int32_t highest, int32_t *scratch) {
  const int row_bytes = kernel_width * channels_in, depth = kernel_height * row_bytes, padded = (depth + 3) / 4 * 4;
  const int pixels = width_out < 4 ? 1 : 4; /* a narrow row has each of its pixels computed four times */
  const int step = pixels == 1 ? 0 : stride_width * channels_in;
  const int by_rows = row_bytes % 4 == 0 && 8 * depth > SATKD_WHOLE_PATCHES_BYTES;
  int32_t *const sums = by_rows ? scratch + 2 * row_bytes : NULL;
  const satkd_channels channels = {channels_out, by_rows ? row_bytes : depth, by_rows ? depth - row_bytes : 0,
                                   multiplier, shift, pixels == 1 ? 0 : channels_out, output_zero_point, lowest, highest};
  for (int next = 0; next < width_out; next += pixels) {
    const int x = next + pixels > width_out ? width_out - pixels : next; /* the last four may overlap those before */
    const int start = x * stride_width * channels_in;
    if (by_rows) {
      for (int ky = 0; ky < kernel_height; ++ky) {
        satkd_widen_4(rows[ky] + start, step, row_bytes, scratch);
        satkd_channels_4(&channels, scratch, weights + ky * row_bytes, ky == 0 ? bias : sums, ky == 0 ? 0 : 1,
                         ky == 0 ? 1 : 4, ky == kernel_height - 1 ? NULL : sums, out + x * channels_out);
      }
    } else {
      if (row_bytes % 4 == 0) {
        for (int ky = 0; ky < kernel_height; ++ky) {
          satkd_widen_4(rows[ky] + start, step, row_bytes, scratch + ky * row_bytes * 2);
        }
      } else {
        int8_t *const patches = (int8_t *)(scratch + padded * 2);
        satkd_copy_patches_4(rows, start, step, kernel_height, row_bytes, padded, patches);
        satkd_widen_4(patches, padded, padded, scratch);
      }
      satkd_channels_4(&channels, scratch, weights, bias, 0, 1, NULL, out + x * channels_out);
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
    out[i] = lowest == -128 && highest == 127 ? satkd_saturate(value) : satkd_clamp(value, lowest, highest);
  }
}
