/* A step of each kind of layer: which rows it reads and writes, and where they are. */
#include <stdbool.h>

#include "satkd_engine_kernels.h"

static void satkd_engine_open(satkd_window *window, const satkd_engine_model *model, void *context,
                              const satkd_engine_layer *layer, int32_t first, int32_t count) {
  window->ring = &((const int8_t *)context)[layer->in.start];
  window->outside = (const int8_t *)satkd_engine_constant(model, layer->outside);
  window->in = &layer->in;
  window->first = first;
  window->count = count;
  window->dilation = layer->dilation_height;
  for (int32_t y = 0; (y < count) && (y < SATKD_ENGINE_KERNEL_ROWS); ++y) {
    window->rows[y] = satkd_find_row(window, y);
  }
}

static void satkd_engine_convolution(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                     uint32_t step) {
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  satkd_weights constants;
  satkd_window window;
  satkd_engine_find_weights(&constants, model, layer);
  satkd_engine_open(&window, model, context, layer, satkd_engine_first_row(layer, step), layer->kernel_height);
  const bool is_depthwise = layer->kind == (uint32_t)SATKD_ENGINE_DEPTHWISE_CONVOLUTION;
  if (layer->dilation_width != 1) {
    if (is_depthwise) {
      satkd_dilated_depthwise_row(layer, &constants, &window, out);
    } else {
      satkd_dilated_conv_row(layer, &constants, &window, out);
    }
  } else if (is_depthwise) {
    satkd_depthwise_row(layer, &constants, &window, out);
  } else if (layer->has_fast_sums != 0u) {
    satkd_conv_row(layer, &constants, &window, out, satkd_engine_words(context, layer->scratch));
  } else {
    satkd_conv_row_with_any_sums(layer, &constants, &window, out);
  }
}

static void satkd_engine_pool(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                              uint32_t step) {
  const int32_t top = satkd_engine_first_row(layer, step);
  const int32_t end = top + layer->kernel_height;
  const int32_t height = (int32_t)layer->in.height;
  const int32_t first = (top > 0) ? top : 0;
  const int32_t last = (end < height) ? end : height;
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  satkd_window window;
  satkd_engine_open(&window, model, context, layer, first, last - first);
  if (layer->kind == (uint32_t)SATKD_ENGINE_MAX_POOL) {
    satkd_max_pool_row(layer, &window, out);
  } else {
    satkd_average_pool_row(layer, &window, out);
  }
}

/* Where a row is in the windows of a layer that takes one row in each step. */
typedef struct satkd_line {
  int32_t window;
  int32_t number; /* in the window */
  bool is_inside; /* some windows have gaps between them, or rows below the last one */
  bool is_last;
} satkd_line;

static satkd_line satkd_find_line(const satkd_engine_layer *layer, uint32_t step) {
  const int32_t padded = (int32_t)step + layer->pad_top;
  satkd_line line;
  line.window = padded / layer->stride_height;
  line.number = padded % layer->stride_height;
  line.is_inside = (line.window < (int32_t)layer->out.height) && (line.number < layer->kernel_height);
  line.is_last = line.is_inside && ((line.number == (layer->kernel_height - 1)) || ((step + 1u) == layer->in.height));
  return line;
}

static void satkd_engine_average_by_row(void *context, const satkd_engine_layer *layer, uint32_t step) {
  const satkd_line line = satkd_find_line(layer, step);
  int32_t *sums = satkd_engine_words(context, layer->sums);
  if (line.is_inside) {
    satkd_sum_row(layer, satkd_engine_slot(context, &layer->in, step), sums, (line.number == 0) || (step == 0u));
    if (line.is_last) {
      const int32_t rows = (((int32_t)step < line.number) ? (int32_t)step : line.number) + 1;
      satkd_average_row(layer, sums, rows, satkd_engine_slot(context, &layer->out, (uint32_t)line.window));
    }
  }
}

static void satkd_engine_mean(void *context, const satkd_engine_layer *layer, uint32_t step) {
  int32_t *sums = satkd_engine_words(context, layer->sums);
  satkd_sum_row(layer, satkd_engine_slot(context, &layer->in, step), sums, step == 0u);
  if ((step + 1u) == layer->in.height) {
    satkd_mean_row(layer, sums, satkd_engine_slot(context, &layer->out, 0));
  }
}

static void satkd_engine_pad(void *context, const satkd_engine_layer *layer, uint32_t step) {
  const int32_t row = (int32_t)step - layer->pad_top;
  const int8_t *in = NULL;
  if ((row >= 0) && (row < (int32_t)layer->in.height)) {
    in = satkd_engine_slot(context, &layer->in, (uint32_t)row);
  }
  satkd_pad_row(layer, in, satkd_engine_slot(context, &layer->out, step));
}

int satkd_engine_compute(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer, uint32_t step) {
  const int8_t *in = satkd_engine_slot(context, &layer->in, step);
  int8_t *out = satkd_engine_slot(context, &layer->out, step);
  int status = SATKD_OK;
  switch (layer->kind) {
    case SATKD_ENGINE_CONVOLUTION:
    case SATKD_ENGINE_DEPTHWISE_CONVOLUTION:
      satkd_engine_convolution(model, context, layer, step);
      break;
    case SATKD_ENGINE_ADDITION:
      satkd_add_row(layer, in, satkd_engine_slot(context, &layer->other, step), out);
      break;
    case SATKD_ENGINE_MAX_POOL:
    case SATKD_ENGINE_AVERAGE_POOL:
      satkd_engine_pool(model, context, layer, step);
      break;
    case SATKD_ENGINE_AVERAGE_POOL_BY_ROW:
      satkd_engine_average_by_row(context, layer, step);
      break;
    case SATKD_ENGINE_MEAN:
      satkd_engine_mean(context, layer, step);
      break;
    case SATKD_ENGINE_LOOKUP:
      satkd_lookup_row(layer, (const int8_t *)satkd_engine_constant(model, layer->table), in, out);
      break;
    case SATKD_ENGINE_SOFTMAX:
      satkd_softmax_row(layer, (const int32_t *)(const void *)satkd_engine_constant(model, layer->table), in, out);
      break;
    case SATKD_ENGINE_MULTIPLICATION:
    case SATKD_ENGINE_SUBTRACTION:
    case SATKD_ENGINE_SUBTRACTION_FROM:
    case SATKD_ENGINE_BROADCAST_ADDITION:
    case SATKD_ENGINE_MAXIMUM:
    case SATKD_ENGINE_MINIMUM:
    case SATKD_ENGINE_PRELU:
    case SATKD_ENGINE_LOG_SOFTMAX:
      status = satkd_engine_compute_elementwise(model, context, layer, step);
      break;
    case SATKD_ENGINE_PAD:
      satkd_engine_pad(context, layer, step);
      break;
    case SATKD_ENGINE_RESHAPE:
      satkd_reshape_row(layer, in, step, &((int8_t *)context)[layer->out.start]);
      break;
    default:
      status = satkd_engine_compute_structure(model, context, layer, step);
      break;
  }
  return status;
}

satkd_engine_written satkd_engine_rows_written(const satkd_engine_layer *layer, uint32_t step) {
  satkd_engine_written written = {step, step + 1u};
  const bool has_one_row = (layer->kind == (uint32_t)SATKD_ENGINE_REDUCTION) && (layer->sums != 0u);
  if ((layer->kind == (uint32_t)SATKD_ENGINE_MEAN) || has_one_row) {
    written.first = 0;
    written.end = (step + 1u) / layer->in.height; /* 1 after the last step */
  } else if (layer->kind == (uint32_t)SATKD_ENGINE_AVERAGE_POOL_BY_ROW) {
    const satkd_line line = satkd_find_line(layer, step);
    written.first = (uint32_t)line.window;
    written.end = written.first + (line.is_last ? 1u : 0u);
  } else if (layer->kind == (uint32_t)SATKD_ENGINE_RESHAPE) {
    const uint32_t count_in = (uint32_t)layer->width_in * (uint32_t)layer->channels_in;
    const uint32_t count_out = (uint32_t)layer->width_out * (uint32_t)layer->channels_out;
    written.first = (step * count_in) / count_out;
    written.end = ((((step + 1u) * count_in) - 1u) / count_out) + 1u;
  } else {
    /* a row in each step */
  }
  return written;
}
