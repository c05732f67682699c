/* Convolutions and additions in C99 for any processor, for satkd_engine_kernels.c: alone, or for layers that the kernels of a
   core cannot run. */
#ifndef SATKD_ENGINE_PORTABLE_H
#define SATKD_ENGINE_PORTABLE_H

#include "satkd_engine_sums.h"

/* reference/integer_ops/conv.h; fully_connected.h is its 1x1 case. */
static void satkd_conv_row_portable(const satkd_engine_layer *layer, const satkd_weights *constants,
                                    const satkd_window *window, int8_t *out) {
  const int32_t taps = layer->kernel_width * layer->channels_in;
  const int32_t step = layer->stride_width * layer->channels_in;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int8_t *weights = constants->weights;
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      int32_t sum = constants->bias[channel];
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        const int8_t *row = satkd_row(window, y);
        sum = satkd_dot(&row[x * step], weights, taps, sum);
        weights = &weights[taps];
      }
      out[(x * layer->channels_out) + channel] = satkd_output(layer, constants, channel, sum);
    }
  }
}

/* reference/integer_ops/depthwise_conv.h */
static void satkd_depthwise_row_portable(const satkd_engine_layer *layer, const satkd_weights *constants,
                                         const satkd_window *window, int8_t *out) {
  const int32_t channels = layer->channels_out;
  const int32_t times = channels / layer->channels_in;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t channel_in = (times == 1) ? channel : (channel / times);
      int32_t sum = constants->bias[channel];
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        const int8_t *row = satkd_row(window, y);
        const int8_t *in = &row[(x * layer->stride_width * layer->channels_in) + channel_in];
        const int8_t *weights = &constants->weights[(y * layer->kernel_width * channels) + channel];
        for (int32_t i = 0; i < layer->kernel_width; ++i) {
          sum = satkd_add(sum, (int32_t)in[i * layer->channels_in] * weights[i * channels]);
        }
      }
      out[(x * channels) + channel] = satkd_output(layer, constants, channel, sum);
    }
  }
}

static int32_t satkd_scale_term(int8_t code, int32_t zero_point, satkd_engine_scale scale) {
  return satkd_requantize(((int32_t)code - zero_point) * 1048576, scale.multiplier, scale.shift);
}

/* reference/integer_ops/add.h; `out` may be `a` or `b`. */
static void satkd_add_row_portable(const satkd_engine_layer *layer, const int8_t *a, const int8_t *b, int8_t *out) {
  const int32_t count = layer->width_out * layer->channels_out;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t sum = satkd_add(satkd_scale_term(a[i], layer->zero_point_in, layer->scale_in),
                                  satkd_scale_term(b[i], layer->zero_point_other, layer->scale_other));
    const int32_t scaled = satkd_requantize(sum, layer->scale_out.multiplier, layer->scale_out.shift);
    out[i] = satkd_clamp(satkd_add(scaled, layer->zero_point_out), layer->lowest, layer->highest);
  }
}

#endif /* SATKD_ENGINE_PORTABLE_H */
