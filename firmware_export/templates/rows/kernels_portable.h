/* One row of outputs of a convolution (reference/integer_ops/conv.h).
     rows: kernel_height pointers to [pixels][channels_in], the first pixel being the leftmost that the window sees. What
       lies outside the image holds the input's zero point.
     weights: [channels_out][kernel_height][kernel_width][channels_in].
     bias: the model's, plus input offset times sum of weights, so that raw codes are multiplied. */
SATKD_KERNEL void satkd_conv_row_portable(const int8_t *const *rows, int8_t *out, const int8_t *weights,
                                          const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                          int kernel_height, int kernel_width, int stride_width, int channels_in,
                                          int channels_out, int width_out, int32_t output_zero_point, int32_t lowest,
                                          int32_t highest) {
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
