/* Where there are no faster ones. */
SATKD_KERNEL void satkd_conv_row(const int8_t *const *rows, int8_t *out, const int8_t *weights, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int kernel_height, int kernel_width,
                                 int stride_width, int channels_in, int channels_out, int width_out,
                                 int32_t output_zero_point, int32_t lowest, int32_t highest, int32_t *scratch) {
  (void)scratch;
  satkd_conv_row_portable(rows, out, weights, bias, multiplier, shift, kernel_height, kernel_width, stride_width,
                          channels_in, channels_out, width_out, output_zero_point, lowest, highest);
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
