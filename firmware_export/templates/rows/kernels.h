/* As satkd_conv_row, for a depthwise convolution (reference/integer_ops/depthwise_conv.h).
     weights: [kernel_height][kernel_width][channels_in * depth_multiplier]. */
SATKD_KERNEL void satkd_depthwise_row(const int8_t *const *rows, int8_t *out, const int8_t *weights,
                                      const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                      int kernel_height, int kernel_width, int stride_width, int channels_in,
                                      int depth_multiplier, int width_out, int32_t output_zero_point, int32_t lowest,
                                      int32_t highest) {
  const int channels_out = channels_in * depth_multiplier;
  for (int x = 0; x < width_out; ++x) {
    for (int channel = 0; channel < channels_out; ++channel) {
      const int channel_in = depth_multiplier == 1 ? channel : channel / depth_multiplier;
      int32_t sum = bias[channel];
      for (int y = 0; y < kernel_height; ++y) {
        const int8_t *in = rows[y] + x * stride_width * channels_in + channel_in;
        const int8_t *weight = weights + y * kernel_width * channels_out + channel;
        for (int i = 0; i < kernel_width; ++i) sum += in[i * channels_in] * weight[i * channels_out];
      }
      *out++ = satkd_clamp(satkd_requantize(sum, multiplier[channel], shift[channel]) + output_zero_point, lowest,
                           highest);
    }
  }
}

/* A function of one code by its 256 values, the one of -128 first. `out` may be `in`. */
SATKD_KERNEL void satkd_lookup_row(const int8_t *in, int8_t *out, int count, const int8_t *table) {
  for (int i = 0; i < count; ++i) out[i] = table[in[i] + 128];
}

/* reference/integer_ops/pooling.h: to nearest, half away from zero. */
SATKD_KERNEL int32_t satkd_average(int32_t sum, int32_t count) {
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* One row of averages over the `kernel_height` rows that lie inside the image; rows begin with the image's first pixel,
   and what lies left or right of it does not count. */
SATKD_KERNEL void satkd_average_pool_row(const int8_t *const *rows, int8_t *out, int kernel_height, int kernel_width,
                                         int stride_width, int pad_left, int width_in, int channels, int width_out,
                                         int32_t lowest, int32_t highest) {
  for (int x = 0; x < width_out; ++x) {
    const int start = x * stride_width - pad_left;
    const int from = start > 0 ? start : 0;
    const int to = start + kernel_width < width_in ? start + kernel_width : width_in;
    for (int channel = 0; channel < channels; ++channel) {
      int32_t sum = 0;
      for (int y = 0; y < kernel_height; ++y) {
        for (int i = from; i < to; ++i) sum += rows[y][i * channels + channel];
      }
      *out++ = satkd_clamp(satkd_average(sum, kernel_height * (to - from)), lowest, highest);
    }
  }
}

/* As satkd_average_pool_row, with the largest code. */
SATKD_KERNEL void satkd_max_pool_row(const int8_t *const *rows, int8_t *out, int kernel_height, int kernel_width,
                                     int stride_width, int pad_left, int width_in, int channels, int width_out,
                                     int32_t lowest, int32_t highest) {
  for (int x = 0; x < width_out; ++x) {
    const int start = x * stride_width - pad_left;
    const int from = start > 0 ? start : 0;
    const int to = start + kernel_width < width_in ? start + kernel_width : width_in;
    for (int channel = 0; channel < channels; ++channel) {
      int32_t largest = -128;
      for (int y = 0; y < kernel_height; ++y) {
        for (int i = from; i < to; ++i) {
          if (rows[y][i * channels + channel] > largest) largest = rows[y][i * channels + channel];
        }
      }
      *out++ = satkd_clamp(largest, lowest, highest);
    }
  }
}

/* Adds one row to the sums of the windows that it belongs to, `is_first` being the first row of theirs. */
SATKD_KERNEL void satkd_sum_row(const int8_t *in, int32_t *sums, int is_first, int kernel_width, int stride_width,
                                int pad_left, int width_in, int channels, int width_out) {
  for (int x = 0; x < width_out; ++x) {
    const int start = x * stride_width - pad_left;
    const int from = start > 0 ? start : 0;
    const int to = start + kernel_width < width_in ? start + kernel_width : width_in;
    for (int channel = 0; channel < channels; ++channel) {
      int32_t sum = is_first ? 0 : sums[x * channels + channel];
      for (int i = from; i < to; ++i) sum += in[i * channels + channel];
      sums[x * channels + channel] = sum;
    }
  }
}

/* The averages of satkd_sum_row's sums over `rows` rows. */
SATKD_KERNEL void satkd_average_row(const int32_t *sums, int8_t *out, int rows, int kernel_width, int stride_width,
                                    int pad_left, int width_in, int channels, int width_out, int32_t lowest,
                                    int32_t highest) {
  for (int x = 0; x < width_out; ++x) {
    const int start = x * stride_width - pad_left;
    const int from = start > 0 ? start : 0;
    const int to = start + kernel_width < width_in ? start + kernel_width : width_in;
    for (int channel = 0; channel < channels; ++channel) {
      *out++ = satkd_clamp(satkd_average(sums[x * channels + channel], rows * (to - from)), lowest, highest);
    }
  }
}

/* The mean of a plane from its sums (reference/reduce.h): the multiplier has the division in it.
     offset: the input's zero point times the number of pixels. */
SATKD_KERNEL void satkd_mean_row(const int32_t *sums, int8_t *out, int channels, int32_t offset, int32_t multiplier,
                                 int shift, int32_t output_zero_point) {
  for (int channel = 0; channel < channels; ++channel) {
    out[channel] =
        satkd_clamp(satkd_requantize(sums[channel] - offset, multiplier, shift) + output_zero_point, -128, 127);
  }
}

/* Writes one row of `count_in` codes behind those before it, in rows of `count_out`. */
SATKD_KERNEL void satkd_reshape_row(const int8_t *in, int8_t *ring, int step, int count_in, int count_out, int depth,
                                    int row_bytes) {
  int row = step * count_in / count_out;
  int column = step * count_in % count_out;
  for (int i = 0; i < count_in; ++i) {
    ring[row % depth * row_bytes + column] = in[i];
    if (++column == count_out) {
      column = 0;
      ++row;
    }
  }
}

/* One row with `left` pixels and `front` channels of `value` before it, and as many behind it as there is room for.
     in: null for a row of nothing but `value`. */
SATKD_KERNEL void satkd_pad_row(const int8_t *in, int8_t *out, int left, int front, int width_in, int channels_in,
                                int width_out, int channels_out, int8_t value) {
  for (int x = 0; x < width_out; ++x) {
    for (int channel = 0; channel < channels_out; ++channel) {
      const int is_inside = in != NULL && x >= left && x - left < width_in && channel >= front &&
                            channel - front < channels_in;
      *out++ = is_inside ? in[(x - left) * channels_in + channel - front] : value;
    }
  }
}

/* x * 2^exponent, saturated: gemmlowp's SaturatingRoundingMultiplyByPOT. */
SATKD_KERNEL int32_t satkd_multiply_by_power_of_two(int32_t x, int exponent) {
  const int32_t limit = INT32_MAX >> exponent;
  return x > limit ? INT32_MAX : x < -limit ? INT32_MIN : x * (1 << exponent);
}

/* 1 / (1 + x) for x from 0 to 1, both in Q0.31: gemmlowp's one_over_one_plus_x_for_x_in_0_1, three steps of Newton's. */
SATKD_KERNEL int32_t satkd_reciprocal(int32_t x) {
  const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  int32_t result = 1515870810 + satkd_high_product(half_denominator, -1010580540); /* 48/17 and -32/17 in Q2.29 */
  for (int i = 0; i < 3; ++i) {
    const int32_t error = (1 << 29) - satkd_high_product(half_denominator, result);
    result += satkd_multiply_by_power_of_two(satkd_high_product(result, error), 2);
  }
  return satkd_multiply_by_power_of_two(result, 1);
}

/* Softmax over the channels of each pixel (reference/softmax.h). `out` may be `in`.
     exponentials: of the differences 0 to -255, in Q0.31. */
SATKD_KERNEL void satkd_softmax_row(const int8_t *in, int8_t *out, const int32_t *exponentials, int width,
                                    int channels) {
  for (int x = 0; x < width; ++x, in += channels, out += channels) {
    int32_t largest = -128;
    for (int channel = 0; channel < channels; ++channel) {
      if (in[channel] > largest) largest = in[channel];
    }
    int32_t sum = 0; /* with 12 integer bits */
    for (int channel = 0; channel < channels; ++channel) {
      sum += satkd_divide_by_power_of_two(exponentials[largest - in[channel]], 12);
    }
    int headroom = 0;
    while (headroom < 12 && ((uint32_t)sum << headroom & (uint32_t)1 << 31) == 0) ++headroom;
    const int32_t scale = satkd_reciprocal((int32_t)(((uint32_t)sum << headroom) - ((uint32_t)1 << 31)));
    for (int channel = 0; channel < channels; ++channel) {
      const int32_t share = satkd_high_product(scale, exponentials[largest - in[channel]]);
      out[channel] = satkd_clamp(satkd_divide_by_power_of_two(share, 12 - headroom + 31 - 8) - 128, -128, 127);
    }
  }
}
