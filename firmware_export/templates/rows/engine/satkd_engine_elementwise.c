/* Layers that compute each code from a code of each of two operands, and log-softmax: C99 for any processor.

   Comments name the source in TensorFlow Lite Micro, relative to tensorflow/lite/kernels/internal. In all functions `out` may be
   the first operand, and the second one if it is as large. */
#include <stdbool.h>

#include "satkd_engine_arithmetic.h"
#include "satkd_engine_kernels.h"

/* The second operand of a row. */
typedef struct satkd_operand {
  const int8_t *codes;
  int32_t pixel;   /* from the code of a pixel to that of the next: 0 if all have the same */
  int32_t channel; /* from that of a channel to that of the next: 0 if all of a pixel have the same */
} satkd_operand;

/* A constant, or a row of a tensor; the only row if there is one. */
static satkd_operand satkd_find_operand(const satkd_engine_model *model, const void *context, const satkd_engine_layer *layer,
                                        uint32_t step) {
  const uint32_t row = (step % layer->other.depth) * layer->other.row_bytes;
  satkd_operand operand;
  if (layer->table != 0u) {
    operand.codes = (const int8_t *)satkd_engine_constant(model, layer->table + row);
  } else {
    operand.codes = &((const int8_t *)context)[layer->other.start + row];
  }
  operand.pixel = layer->stride_width;
  operand.channel = (layer->stride_width == 1) ? 0 : 1;
  return operand;
}

static int8_t satkd_code(const satkd_engine_layer *layer, int32_t scaled) {
  return satkd_clamp(satkd_add(scaled, layer->zero_point_out), layer->lowest, layer->highest);
}

static int32_t satkd_rescale(int32_t value, satkd_engine_scale scale) {
  return satkd_requantize(value, scale.multiplier, scale.shift);
}

/* reference/integer_ops/mul.h */
static void satkd_multiply_row(const satkd_engine_layer *layer, const int8_t *a, satkd_operand b, int8_t *out) {
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      const int32_t i = (x * layer->channels_out) + channel;
      const int32_t first = (int32_t)a[i] - layer->zero_point_in;
      const int32_t second = (int32_t)b.codes[(x * b.pixel) + (channel * b.channel)] - layer->zero_point_other;
      out[i] = satkd_code(layer, satkd_rescale(first * second, layer->scale_out));
    }
  }
}

/* reference/integer_ops/add.h, reference/sub.h */
static void satkd_sum_of_pairs_row(const satkd_engine_layer *layer, const int8_t *a, satkd_operand b, int8_t *out) {
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      const int32_t i = (x * layer->channels_out) + channel;
      const int32_t code = b.codes[(x * b.pixel) + (channel * b.channel)];
      const int32_t first = satkd_rescale(((int32_t)a[i] - layer->zero_point_in) * 1048576, layer->scale_in);
      const int32_t second = satkd_rescale((code - layer->zero_point_other) * 1048576, layer->scale_other);
      int32_t sum = satkd_subtract(first, second);
      if (layer->kind == (uint32_t)SATKD_ENGINE_BROADCAST_ADDITION) {
        sum = satkd_add(first, second);
      } else if (layer->kind == (uint32_t)SATKD_ENGINE_SUBTRACTION_FROM) {
        sum = satkd_subtract(second, first);
      } else {
        /* a subtraction */
      }
      out[i] = satkd_code(layer, satkd_rescale(sum, layer->scale_out));
    }
  }
}

/* reference/maximum_minimum.h: of the codes, whatever their scales. */
static void satkd_extreme_row(const satkd_engine_layer *layer, const int8_t *a, satkd_operand b, int8_t *out) {
  const bool is_maximum = layer->kind == (uint32_t)SATKD_ENGINE_MAXIMUM;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      const int32_t i = (x * layer->channels_out) + channel;
      const int8_t second = b.codes[(x * b.pixel) + (channel * b.channel)];
      out[i] = ((a[i] > second) == is_maximum) ? a[i] : second;
    }
  }
}

/* reference/prelu.h */
static void satkd_prelu_row(const satkd_engine_layer *layer, const int8_t *a, satkd_operand b, int8_t *out) {
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      const int32_t i = (x * layer->channels_out) + channel;
      const int32_t value = (int32_t)a[i] - layer->zero_point_in;
      int32_t scaled;
      if (value >= 0) {
        scaled = satkd_rescale(value, layer->scale_in);
      } else {
        const int32_t slope = (int32_t)b.codes[(x * b.pixel) + (channel * b.channel)] - layer->zero_point_other;
        scaled = satkd_rescale(value * slope, layer->scale_other);
      }
      out[i] = satkd_code(layer, scaled);
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
      satkd_multiply_row(layer, in, satkd_find_operand(model, context, layer, step), out);
      break;
    case SATKD_ENGINE_SUBTRACTION:
    case SATKD_ENGINE_SUBTRACTION_FROM:
    case SATKD_ENGINE_BROADCAST_ADDITION:
      satkd_sum_of_pairs_row(layer, in, satkd_find_operand(model, context, layer, step), out);
      break;
    case SATKD_ENGINE_MAXIMUM:
    case SATKD_ENGINE_MINIMUM:
      satkd_extreme_row(layer, in, satkd_find_operand(model, context, layer, step), out);
      break;
    case SATKD_ENGINE_PRELU:
      satkd_prelu_row(layer, in, satkd_find_operand(model, context, layer, step), out);
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
