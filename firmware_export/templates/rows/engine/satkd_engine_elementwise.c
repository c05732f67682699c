/* Layers that compute each code from a code of each of two operands, and log-softmax: C99 for any processor.

   Comments name the source in TensorFlow Lite Micro, relative to tensorflow/lite/kernels/internal. In all functions `out` may be
   the first operand, and the second one if it is as large. */
#include <stdbool.h>

#include "satkd_engine_arithmetic.h"
#include "satkd_engine_kernels.h"

/* What a row is computed from: copies, because a compiler must assume that a store to `out` changes the layer. */
typedef struct satkd_pair {
  const int8_t *second; /* the second operand of the row */
  int32_t pixel;        /* from its code of a pixel to that of the next: 0 if all have the same */
  int32_t channel;      /* from its code of a channel to that of the next: 0 if all of a pixel have the same */
  int32_t width;
  int32_t channels;
  int32_t zero_point_first;
  int32_t zero_point_second;
  int32_t zero_point_out;
  int32_t lowest;
  int32_t highest;
} satkd_pair;

/* The second operand is a constant or a row of a tensor; the only row if there is one. */
static satkd_pair satkd_find_pair(const satkd_engine_model *model, const void *context, const satkd_engine_layer *layer,
                                  uint32_t step) {
  const uint32_t start = layer->table + layer->other.start + ((step % layer->other.depth) * layer->other.row_bytes);
  const int8_t *base = (layer->table != 0u) ? (const int8_t *)(const void *)model : (const int8_t *)context;
  const satkd_pair pair = {
      .second = &base[start],
      .pixel = layer->stride_width,
      .channel = (layer->stride_width == 1) ? 0 : 1,
      .width = layer->width_out,
      .channels = layer->channels_out,
      .zero_point_first = layer->zero_point_in,
      .zero_point_second = layer->zero_point_other,
      .zero_point_out = layer->zero_point_out,
      .lowest = layer->lowest,
      .highest = layer->highest,
  };
  return pair;
}

static int32_t satkd_rescale(int32_t value, satkd_engine_scale scale) {
  return satkd_requantize(value, scale.multiplier, scale.shift);
}

static int8_t satkd_code(satkd_pair pair, int32_t scaled) {
  return satkd_clamp(satkd_add(scaled, pair.zero_point_out), pair.lowest, pair.highest);
}

/* reference/integer_ops/mul.h */
static void satkd_multiply_row(const satkd_engine_layer *layer, satkd_pair pair, const int8_t *first, int8_t *out) {
  const satkd_engine_scale scale = layer->scale_out;
  int32_t i = 0;
  for (int32_t x = 0; x < pair.width; ++x) {
    for (int32_t channel = 0; channel < pair.channels; ++channel) {
      const int32_t a = (int32_t)first[i] - pair.zero_point_first;
      const int32_t b = (int32_t)pair.second[(x * pair.pixel) + (channel * pair.channel)] - pair.zero_point_second;
      out[i] = satkd_code(pair, satkd_rescale(a * b, scale));
      ++i;
    }
  }
}

/* reference/integer_ops/add.h, reference/sub.h */
static void satkd_sum_of_pairs_row(const satkd_engine_layer *layer, satkd_pair pair, const int8_t *first, int8_t *out) {
  const satkd_engine_scale scale_first = layer->scale_in;
  const satkd_engine_scale scale_second = layer->scale_other;
  const satkd_engine_scale scale_out = layer->scale_out;
  const uint32_t kind = layer->kind;
  int32_t i = 0;
  for (int32_t x = 0; x < pair.width; ++x) {
    for (int32_t channel = 0; channel < pair.channels; ++channel) {
      const int32_t code = pair.second[(x * pair.pixel) + (channel * pair.channel)];
      const int32_t a = satkd_rescale(((int32_t)first[i] - pair.zero_point_first) * 1048576, scale_first);
      const int32_t b = satkd_rescale((code - pair.zero_point_second) * 1048576, scale_second);
      int32_t sum = satkd_subtract(a, b);
      if (kind == (uint32_t)SATKD_ENGINE_BROADCAST_ADDITION) {
        sum = satkd_add(a, b);
      } else if (kind == (uint32_t)SATKD_ENGINE_SUBTRACTION_FROM) {
        sum = satkd_subtract(b, a);
      } else {
        /* a subtraction */
      }
      out[i] = satkd_code(pair, satkd_rescale(sum, scale_out));
      ++i;
    }
  }
}

/* reference/maximum_minimum.h: of the codes, whatever their scales. */
static void satkd_extreme_row(const satkd_engine_layer *layer, satkd_pair pair, const int8_t *first, int8_t *out) {
  const bool is_maximum = layer->kind == (uint32_t)SATKD_ENGINE_MAXIMUM;
  int32_t i = 0;
  for (int32_t x = 0; x < pair.width; ++x) {
    for (int32_t channel = 0; channel < pair.channels; ++channel) {
      const int8_t a = first[i];
      const int8_t b = pair.second[(x * pair.pixel) + (channel * pair.channel)];
      out[i] = ((a > b) == is_maximum) ? a : b;
      ++i;
    }
  }
}

/* reference/prelu.h */
static void satkd_prelu_row(const satkd_engine_layer *layer, satkd_pair pair, const int8_t *first, int8_t *out) {
  const satkd_engine_scale scale_positive = layer->scale_in;
  const satkd_engine_scale scale_negative = layer->scale_other;
  int32_t i = 0;
  for (int32_t x = 0; x < pair.width; ++x) {
    for (int32_t channel = 0; channel < pair.channels; ++channel) {
      const int32_t a = (int32_t)first[i] - pair.zero_point_first;
      int32_t scaled;
      if (a >= 0) {
        scaled = satkd_rescale(a, scale_positive);
      } else {
        const int32_t b = (int32_t)pair.second[(x * pair.pixel) + (channel * pair.channel)] - pair.zero_point_second;
        scaled = satkd_rescale(a * b, scale_negative);
      }
      out[i] = satkd_code(pair, scaled);
      ++i;
    }
  }
}

static int32_t satkd_leading_zeros(int32_t x) {
  int32_t count = 0;
  while ((count < 31) && ((((uint32_t)x << (uint32_t)count) & 0x80000000u) == 0u)) {
    ++count;
  }
  return count;
}

/* log(x) in Q5.26 for x > 0 in Q12.19: common.h, log_x_for_x_greater_than_or_equal_to_1. Names are those of the source. */
static int32_t satkd_log(int32_t x) {
  const int32_t sqrt_half = 1518500250;
  const int32_t sqrt_sqrt_half = 1805811301;
  const int32_t quarter = 8388608; /* in Q6.25, as the powers of 2 */
  const int32_t z_a_headroom = satkd_leading_zeros(x) - 1;
  const int32_t z_b_headroom = satkd_leading_zeros(satkd_high_product(x, sqrt_half)) - 1;
  const int32_t r_a_half = satkd_high_product(satkd_multiply_by_power_of_two(x, z_a_headroom), sqrt_half);
  const int32_t r_a = satkd_multiply_by_power_of_two(r_a_half, 1);
  const int32_t r_b = satkd_multiply_by_power_of_two(x, z_b_headroom);
  const int32_t z_a_pow_2 = ((11 - z_a_headroom) * 33554432) + quarter;
  const int32_t z_b_pow_2 = ((12 - z_b_headroom) * 33554432) - quarter;
  const int32_t z_pow_2 = (z_a_pow_2 > z_b_pow_2) ? z_a_pow_2 : z_b_pow_2;
  const int32_t r = (r_a < r_b) ? r_a : r_b;
  const int32_t p = (int32_t)((((int64_t)r + sqrt_sqrt_half) + 1) / 2);
  const int32_t q = (r - sqrt_sqrt_half) * 2;
  const int32_t square = satkd_high_product(q, q);
  const int32_t alpha_n = satkd_high_product(satkd_high_product(q, square), 117049297);
  const int32_t numerator = satkd_high_product(q, r) + alpha_n;
  const int32_t alpha_d = (1057819769 + q) + satkd_high_product(127690142, square);
  const int32_t denominator = satkd_high_product(p, alpha_d) + satkd_high_product(638450708, q); /* less one */
  const int32_t fraction = satkd_high_product(satkd_divide_by_power_of_two(numerator, 6), satkd_reciprocal(denominator));
  return satkd_multiply_by_power_of_two(satkd_add(satkd_high_product(z_pow_2, 1488522236), fraction), 1);
}

/* reference/log_softmax.h, over the channels of each pixel.
     exponentials: of the differences 0 to -255, in Q0.31. */
static void satkd_log_softmax_row(const satkd_engine_layer *layer, const int32_t *exponentials, const int8_t *in, int8_t *out) {
  const int32_t channels = layer->channels_out;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int8_t *codes = &in[x * channels];
    int8_t *to = &out[x * channels];
    int32_t largest = -128;
    int32_t sum = 0;
    for (int32_t channel = 0; channel < channels; ++channel) {
      largest = (codes[channel] > largest) ? codes[channel] : largest;
    }
    for (int32_t channel = 0; channel < channels; ++channel) {
      sum = satkd_add(sum, satkd_divide_by_power_of_two(exponentials[largest - codes[channel]], 12));
    }
    const int32_t log_of_sum = satkd_log((sum > 0) ? sum : 1);
    const int32_t least = satkd_rescale(satkd_add(log_of_sum, INT32_MIN), layer->scale_other);
    const int32_t threshold = (least > layer->lowest) ? least : layer->lowest;
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t difference = codes[channel] - largest;
      int32_t code = -128;
      if (difference > threshold) {
        const int32_t logarithm = satkd_subtract(satkd_rescale(difference, layer->scale_in), log_of_sum);
        code = satkd_divide_by_power_of_two(logarithm, 22) + 127;
      }
      to[channel] = satkd_clamp(code, -128, 127);
    }
  }
}

int satkd_engine_compute_elementwise(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                     uint32_t step) {
  const int8_t *in = satkd_engine_slot(context, &layer->in, step);
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  int status = SATKD_OK;
  switch (layer->kind) {
    case SATKD_ENGINE_MULTIPLICATION:
      satkd_multiply_row(layer, satkd_find_pair(model, context, layer, step), in, out);
      break;
    case SATKD_ENGINE_SUBTRACTION:
    case SATKD_ENGINE_SUBTRACTION_FROM:
    case SATKD_ENGINE_BROADCAST_ADDITION:
      satkd_sum_of_pairs_row(layer, satkd_find_pair(model, context, layer, step), in, out);
      break;
    case SATKD_ENGINE_MAXIMUM:
    case SATKD_ENGINE_MINIMUM:
      satkd_extreme_row(layer, satkd_find_pair(model, context, layer, step), in, out);
      break;
    case SATKD_ENGINE_PRELU:
      satkd_prelu_row(layer, satkd_find_pair(model, context, layer, step), in, out);
      break;
    case SATKD_ENGINE_LOG_SOFTMAX:
      satkd_log_softmax_row(layer, (const int32_t *)(const void *)satkd_engine_constant(model, layer->table), in, out);
      break;
    default:
      status = SATKD_CORRUPT;
      break;
  }
  return status;
}
