/* One row of outputs of a convolution (reference/integer_ops/conv.h).
     rows: kernel_height pointers to [pixels][channels_in], the first pixel being the leftmost that the window sees. What
       lies outside the image holds the input's zero point.
     weights: [channels_out][kernel_height][kernel_width][channels_in].
     bias: the model's, plus input offset times sum of weights, so that raw codes are multiplied. */
SATKD_KERNEL void satkd_conv_row(const int8_t *const *rows, int8_t *out, const int8_t *weights, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int kernel_height, int kernel_width,
                                 int stride_width, int channels_in, int channels_out, int width_out,
                                 int32_t output_zero_point, int32_t lowest, int32_t highest) {
  const int taps = kernel_width * channels_in;
  for (int x = 0; x < width_out; ++x) {
    const int8_t *weight = weights;
    for (int channel = 0; channel < channels_out; ++channel) {
      int32_t sum = bias[channel];
      for (int y = 0; y < kernel_height; ++y) {
        const int8_t *in = rows[y] + x * stride_width * channels_in;
        for (int i = 0; i < taps; ++i) sum += in[i] * weight[i];
        weight += taps;
      }
      *out++ = satkd_clamp(satkd_requantize(sum, multiplier[channel], shift[channel]) + output_zero_point, lowest,
                           highest);
    }
  }
}

/* a + b (reference/integer_ops/add.h). `out` may be `a` or `b`. */
SATKD_KERNEL void satkd_add_row(const int8_t *a, const int8_t *b, int8_t *out, int count, int32_t zero_point_a,
                                int32_t multiplier_a, int shift_a, int32_t zero_point_b, int32_t multiplier_b,
                                int shift_b, int32_t output_zero_point, int32_t multiplier, int shift, int32_t lowest,
                                int32_t highest) {
  for (int i = 0; i < count; ++i) {
    const int32_t scaled_a = satkd_requantize((a[i] - zero_point_a) * (1 << 20), multiplier_a, shift_a);
    const int32_t scaled_b = satkd_requantize((b[i] - zero_point_b) * (1 << 20), multiplier_b, shift_b);
    out[i] = satkd_clamp(satkd_requantize(scaled_a + scaled_b, multiplier, shift) + output_zero_point, lowest, highest);
  }
}
