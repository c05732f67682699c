/* Layers that move codes or average them in other ways than a pool, and convolutions whose taps have gaps or whose input has. All in
   portable C99, for every core. Comments name the source in TensorFlow Lite Micro, relative to tensorflow/lite/kernels/internal. */
#include <stdbool.h>

#include "satkd_engine_sums.h"

/* reference/integer_ops/conv.h with a dilation */
void satkd_dilated_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                            int8_t *out) {
  const int32_t depth = layer->channels_in;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int8_t *weights = constants->weights;
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      int32_t sum = constants->bias[channel];
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        const int8_t *in = &satkd_row(window, y)[x * layer->stride_width * depth];
        for (int32_t i = 0; i < layer->kernel_width; ++i) {
          sum = satkd_dot(&in[i * layer->dilation_width * depth], weights, depth, sum);
          weights = &weights[depth];
        }
      }
      out[(x * layer->channels_out) + channel] = satkd_output(layer, constants, channel, sum);
    }
  }
}

/* reference/integer_ops/depthwise_conv.h with a dilation */
void satkd_dilated_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                                 int8_t *out) {
  const int32_t channels = layer->channels_out;
  const int32_t times = channels / layer->channels_in;
  const int32_t gap = layer->dilation_width * layer->channels_in;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t first = (x * layer->stride_width * layer->channels_in) + (channel / times);
      int32_t sum = constants->bias[channel];
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        const int8_t *in = &satkd_row(window, y)[first];
        const int8_t *weights = &constants->weights[(y * layer->kernel_width * channels) + channel];
        for (int32_t i = 0; i < layer->kernel_width; ++i) {
          sum = satkd_add(sum, (int32_t)in[i * gap] * weights[i * channels]);
        }
      }
      out[(x * channels) + channel] = satkd_output(layer, constants, channel, sum);
    }
  }
}

/* The products of one row of the kernel, for an output at column x. Padding is left out, so the zero point is subtracted here. */
static int32_t satkd_sum_transposed_row(const satkd_engine_layer *layer, const int8_t *row, const int8_t *weights, int32_t x,
                                        int32_t before) {
  const int32_t place = x + layer->pad_left;
  int32_t sum = before;
  for (int32_t tap = place % layer->stride_width; (tap < layer->kernel_width) && (tap <= place); tap += layer->stride_width) {
    const int32_t column = (place - tap) / layer->stride_width;
    if (column < layer->width_in) {
      const int8_t *in = &row[column * layer->channels_in];
      const int8_t *factors = &weights[tap * layer->channels_in];
      for (int32_t i = 0; i < layer->channels_in; ++i) {
        sum = satkd_add(sum, ((int32_t)in[i] - layer->zero_point_in) * factors[i]);
      }
    }
  }
  return sum;
}

/* reference/integer_ops/transpose_conv.h, from the outputs: the taps that meet an input, not the outputs that an input meets. */
static void satkd_engine_transposed(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                    uint32_t step) {
  const int32_t place = (int32_t)step + layer->pad_top;
  const int32_t taps = layer->kernel_width * layer->channels_in;
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  satkd_weights constants;
  satkd_engine_find_weights(&constants, model, layer);
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      int32_t sum = constants.bias[channel];
      for (int32_t y = place % layer->stride_height; (y < layer->kernel_height) && (y <= place); y += layer->stride_height) {
        const int32_t row = (place - y) / layer->stride_height;
        if (row < (int32_t)layer->in.height) {
          const int8_t *weights = &constants.weights[((channel * layer->kernel_height) + y) * taps];
          sum = satkd_sum_transposed_row(layer, satkd_engine_slot(context, &layer->in, (uint32_t)row), weights, x, sum);
        }
      }
      out[(x * layer->channels_out) + channel] = satkd_output(layer, &constants, channel, sum);
    }
  }
}

/* reference/reduce.h: `kernel_width` codes of a row for each output, of every row if there are sums. */
static void satkd_engine_reduce(void *context, const satkd_engine_layer *layer, uint32_t step) {
  const bool has_sums = layer->sums != 0u;
  const int32_t rows = has_sums ? (int32_t)layer->in.height : 1;
  const int32_t offset = layer->zero_point_in * rows * layer->kernel_width;
  const int32_t count = layer->width_out * layer->channels_out;
  const int8_t *in = satkd_engine_slot(context, &layer->in, step);
  int8_t *out = satkd_engine_slot(context, &layer->out, has_sums ? 0u : step);
  int32_t *sums = satkd_engine_words(context, layer->sums);
  for (int32_t i = 0; i < count; ++i) {
    const int8_t *codes = &in[i * layer->path.column];
    int32_t sum = (has_sums && (step > 0u)) ? sums[i] : 0;
    for (int32_t j = 0; j < layer->kernel_width; ++j) {
      sum = satkd_add(sum, codes[j * layer->path.channel]);
    }
    if (has_sums) {
      sums[i] = sum;
    }
    if (!has_sums || ((step + 1u) == layer->in.height)) {
      const int32_t scaled =
          satkd_requantize(satkd_subtract(sum, offset), layer->scale_out.multiplier, layer->scale_out.shift);
      out[i] = satkd_clamp(satkd_add(scaled, layer->zero_point_out), -128, 127);
    }
  }
}

static void satkd_copy_codes(const int8_t *from, int8_t *to, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

/* reference/strided_slice.h, transpose.h; a split is a selection for each of its outputs. */
static void satkd_engine_select(void *context, const satkd_engine_layer *layer, uint32_t step) {
  const int32_t channels = layer->channels_out;
  const int8_t *row = satkd_engine_slot(context, &layer->in, (uint32_t)satkd_engine_first_row(layer, step));
  const int8_t *in = &row[layer->path.start + ((int32_t)step * layer->path.row)];
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int8_t *from = &in[x * layer->path.column];
    for (int32_t channel = 0; channel < channels; ++channel) {
      out[(x * channels) + channel] = from[channel * layer->path.channel];
    }
  }
}

/* reference/concatenation.h: of channels; or of rows, if the second input adds no channels. */
static void satkd_engine_concatenate(void *context, const satkd_engine_layer *layer, uint32_t step) {
  const int32_t first = layer->channels_in;
  const int32_t second = layer->channels_out - first;
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  if (second == 0) {
    const bool is_first = step < layer->in.height;
    const int8_t *in = is_first ? satkd_engine_slot(context, &layer->in, step)
                                : satkd_engine_slot(context, &layer->other, step - layer->in.height);
    satkd_copy_codes(in, out, layer->width_out * first);
  } else {
    const int8_t *in = satkd_engine_slot(context, &layer->in, step);
    const int8_t *other = satkd_engine_slot(context, &layer->other, step);
    for (int32_t x = 0; x < layer->width_out; ++x) {
      int8_t *pixel = &out[x * layer->channels_out];
      satkd_copy_codes(&in[x * first], pixel, first);
      satkd_copy_codes(&other[x * second], &pixel[first], second);
    }
  }
}

/* reference/resize_nearest_neighbor.h. The table may have lost a bit: a column that is none is taken as the first. */
static void satkd_engine_resize(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                uint32_t step) {
  const int32_t channels = layer->channels_out;
  const uint32_t *table = (const uint32_t *)(const void *)satkd_engine_constant(model, layer->table);
  const uint32_t *columns = &table[layer->steps];
  const int8_t *in = satkd_engine_slot(context, &layer->in, table[step]);
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const uint32_t column = (columns[x] < (uint32_t)layer->width_in) ? columns[x] : 0u;
    satkd_copy_codes(&in[(int32_t)column * channels], &out[x * channels], channels);
  }
}

int satkd_engine_compute_structure(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                   uint32_t step) {
  int status = SATKD_OK;
  switch (layer->kind) {
    case SATKD_ENGINE_REDUCTION:
      satkd_engine_reduce(context, layer, step);
      break;
    case SATKD_ENGINE_SELECTION:
      satkd_engine_select(context, layer, step);
      break;
    case SATKD_ENGINE_CONCATENATION:
      satkd_engine_concatenate(context, layer, step);
      break;
    case SATKD_ENGINE_RESIZING:
      satkd_engine_resize(model, context, layer, step);
      break;
    case SATKD_ENGINE_TRANSPOSED_CONVOLUTION:
      satkd_engine_transposed(model, context, layer, step);
      break;
    default:
      status = SATKD_CORRUPT;
      break;
  }
  return status;
}
