/* The kernels. Each computes one row of outputs of a layer. By default the compiler's macros choose which are compiled; to choose
   yourself, compile this file with -DSATKD_ENGINE_KERNELS=SATKD_ENGINE_PORTABLE, SATKD_ENGINE_DSP or SATKD_ENGINE_MVE. The
   portable kernels contain no assembly and no extensions of C99.

   Comments name the source in TensorFlow Lite Micro, relative to tensorflow/lite/kernels/internal. */
#include "satkd_engine_kernels.h"

#include "satkd_engine_arithmetic.h"
#include "satkd_engine_portable.h"

#define SATKD_ENGINE_PORTABLE 0
#define SATKD_ENGINE_DSP 1 /* Cortex-M4, M7, M33 */
#define SATKD_ENGINE_MVE 2 /* Helium: Cortex-M52, M55, M85; with gcc */

/* The assembly needs every register. Without optimization, compilers keep some; so does gcc with -fno-omit-frame-pointer: then
   choose SATKD_ENGINE_PORTABLE, or compile this file without it. Clang always keeps r7, which MVE needs. */
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && !defined(__clang__)
#if (__ARM_FEATURE_MVE & 1) != 0
#define SATKD_ENGINE_HAS_MVE 1
#endif
#endif
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && defined(__ARM_ARCH_PROFILE) && \
    defined(__OPTIMIZE__) && !defined(__ARM_BIG_ENDIAN)
#if __ARM_ARCH_PROFILE == 'M'
#define SATKD_ENGINE_HAS_DSP 1
#endif
#endif

#ifndef SATKD_ENGINE_KERNELS
#if defined(SATKD_ENGINE_HAS_MVE)
#define SATKD_ENGINE_KERNELS SATKD_ENGINE_MVE
#elif defined(SATKD_ENGINE_HAS_DSP)
#define SATKD_ENGINE_KERNELS SATKD_ENGINE_DSP
#else
#define SATKD_ENGINE_KERNELS SATKD_ENGINE_PORTABLE
#endif
#endif

#if SATKD_ENGINE_KERNELS == SATKD_ENGINE_MVE
#ifndef SATKD_ENGINE_HAS_MVE
#error "SATKD_ENGINE_MVE needs a core with Helium, gcc and -O1 or higher"
#endif
#include "satkd_engine_mve.h"
#elif SATKD_ENGINE_KERNELS == SATKD_ENGINE_DSP
#ifndef SATKD_ENGINE_HAS_DSP
#error "SATKD_ENGINE_DSP needs a little-endian Cortex-M with the DSP extension, unaligned access and -O1 or higher"
#endif
#include "satkd_engine_dsp.h"
#elif SATKD_ENGINE_KERNELS == SATKD_ENGINE_PORTABLE
void satkd_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                    int8_t *out, int32_t *scratch) {
  (void)scratch;
  satkd_conv_row_portable(layer, constants, window, out);
}

void satkd_add_row(const satkd_engine_layer *layer, const int8_t *a, const int8_t *b, int8_t *out) {
  satkd_add_row_portable(layer, a, b, out);
}

void satkd_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                         int8_t *out) {
  satkd_depthwise_row_portable(layer, constants, window, out);
}
#else
#error "SATKD_ENGINE_KERNELS is not SATKD_ENGINE_PORTABLE, SATKD_ENGINE_DSP or SATKD_ENGINE_MVE"
#endif

int satkd_engine_kernels(void) {
  return SATKD_ENGINE_KERNELS;
}

void satkd_conv_row_with_any_sums(const satkd_engine_layer *layer, const satkd_weights *constants,
                                  const satkd_window *window, int8_t *out) {
  satkd_conv_row_portable(layer, constants, window, out);
}

/* `out` may be `in`. */
void satkd_lookup_row(const satkd_engine_layer *layer, const int8_t *table, const int8_t *in, int8_t *out) {
  const int32_t count = layer->width_out * layer->channels_out;
  for (int32_t i = 0; i < count; ++i) {
    out[i] = table[(int32_t)in[i] + 128];
  }
}

/* Columns of a pooling window that are inside the image. */
typedef struct satkd_span {
  int32_t from;
  int32_t to;
} satkd_span;

static satkd_span satkd_find_span(const satkd_engine_layer *layer, int32_t x) {
  const int32_t start = (x * layer->stride_width) - layer->pad_left;
  const int32_t end = start + layer->kernel_width;
  satkd_span span;
  span.from = (start > 0) ? start : 0;
  span.to = (end < layer->width_in) ? end : layer->width_in;
  return span;
}

/* reference/integer_ops/pooling.h: to nearest, half away from zero. */
static int32_t satkd_average(int32_t sum, int32_t count) {
  return ((sum > 0) ? satkd_add(sum, count / 2) : satkd_subtract(sum, count / 2)) / count;
}

/* The window contains only rows inside the image. */
void satkd_average_pool_row(const satkd_engine_layer *layer, const satkd_window *window, int8_t *out) {
  const int32_t channels = layer->channels_out;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const satkd_span span = satkd_find_span(layer, x);
    for (int32_t channel = 0; channel < channels; ++channel) {
      int32_t sum = 0;
      for (int32_t y = 0; y < window->count; ++y) {
        const int8_t *row = satkd_row(window, y);
        for (int32_t i = span.from; i < span.to; ++i) {
          sum += row[(i * channels) + channel];
        }
      }
      const int32_t average = satkd_average(sum, window->count * (span.to - span.from));
      out[(x * channels) + channel] = satkd_clamp(average, layer->lowest, layer->highest);
    }
  }
}

void satkd_max_pool_row(const satkd_engine_layer *layer, const satkd_window *window, int8_t *out) {
  const int32_t channels = layer->channels_out;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const satkd_span span = satkd_find_span(layer, x);
    for (int32_t channel = 0; channel < channels; ++channel) {
      int32_t largest = -128;
      for (int32_t y = 0; y < window->count; ++y) {
        const int8_t *row = satkd_row(window, y);
        for (int32_t i = span.from; i < span.to; ++i) {
          const int32_t code = row[(i * channels) + channel];
          largest = (code > largest) ? code : largest;
        }
      }
      out[(x * channels) + channel] = satkd_clamp(largest, layer->lowest, layer->highest);
    }
  }
}

/* Adds a row to the sums of its windows; `is_first` if the sums are to begin with it. */
void satkd_sum_row(const satkd_engine_layer *layer, const int8_t *in, int32_t *sums, bool is_first) {
  const int32_t channels = layer->channels_out;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const satkd_span span = satkd_find_span(layer, x);
    for (int32_t channel = 0; channel < channels; ++channel) {
      int32_t sum = is_first ? 0 : sums[(x * channels) + channel];
      for (int32_t i = span.from; i < span.to; ++i) {
        sum = satkd_add(sum, in[(i * channels) + channel]);
      }
      sums[(x * channels) + channel] = sum;
    }
  }
}

/* The averages of sums over `rows` rows. */
void satkd_average_row(const satkd_engine_layer *layer, const int32_t *sums, int32_t rows, int8_t *out) {
  const int32_t channels = layer->channels_out;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const satkd_span span = satkd_find_span(layer, x);
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t average = satkd_average(sums[(x * channels) + channel], rows * (span.to - span.from));
      out[(x * channels) + channel] = satkd_clamp(average, layer->lowest, layer->highest);
    }
  }
}

/* reference/reduce.h; the scale includes the division by the number of pixels. */
void satkd_mean_row(const satkd_engine_layer *layer, const int32_t *sums, int8_t *out) {
  const int32_t offset = layer->zero_point_in * (int32_t)layer->in.height * layer->width_in;
  for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
    const int32_t sum = satkd_subtract(sums[channel], offset);
    const int32_t scaled = satkd_requantize(sum, layer->scale_out.multiplier, layer->scale_out.shift);
    out[channel] = satkd_clamp(satkd_add(scaled, layer->zero_point_out), -128, 127);
  }
}

/* Writes an input row behind those before it, in rows of another length. */
void satkd_reshape_row(const satkd_engine_layer *layer, const int8_t *in, uint32_t step, int8_t *ring) {
  const uint32_t count_in = (uint32_t)layer->width_in * (uint32_t)layer->channels_in;
  const uint32_t count_out = (uint32_t)layer->width_out * (uint32_t)layer->channels_out;
  uint32_t row = (step * count_in) / count_out;
  uint32_t column = (step * count_in) % count_out;
  for (uint32_t i = 0; i < count_in; ++i) {
    ring[((row % layer->out.depth) * layer->out.row_bytes) + column] = in[i];
    ++column;
    if (column == count_out) {
      column = 0;
      ++row;
    }
  }
}

/* in: null for a row of padding. */
void satkd_pad_row(const satkd_engine_layer *layer, const int8_t *in, int8_t *out) {
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int32_t x_in = x - layer->pad_left;
    const bool is_padding = (in == NULL) || (x_in < 0) || (x_in >= layer->width_in);
    for (int32_t channel = 0; channel < layer->channels_out; ++channel) {
      const int32_t channel_in = channel - layer->pad_front;
      int8_t code = (int8_t)layer->pad_code;
      if (!is_padding && (channel_in >= 0) && (channel_in < layer->channels_in)) {
        code = in[(x_in * layer->channels_in) + channel_in];
      }
      out[(x * layer->channels_out) + channel] = code;
    }
  }
}

/* reference/softmax.h, over the channels of each pixel; `out` may be `in`.
     exponentials: of the differences 0 to -255, in Q0.31. */
void satkd_softmax_row(const satkd_engine_layer *layer, const int32_t *exponentials, const int8_t *in, int8_t *out) {
  const int32_t channels = layer->channels_out;
  for (int32_t x = 0; x < layer->width_out; ++x) {
    const int8_t *codes = &in[x * channels];
    int8_t *to = &out[x * channels];
    int32_t largest = -128;
    int32_t sum = 0; /* with 12 integer bits */
    int32_t headroom = 0;
    for (int32_t channel = 0; channel < channels; ++channel) {
      largest = (codes[channel] > largest) ? codes[channel] : largest;
    }
    for (int32_t channel = 0; channel < channels; ++channel) {
      sum = satkd_add(sum, satkd_divide_by_power_of_two(exponentials[largest - codes[channel]], 12));
    }
    while ((headroom < 12) && ((((uint32_t)sum << (uint32_t)headroom) & 0x80000000u) == 0u)) {
      ++headroom;
    }
    const int32_t scale = satkd_reciprocal((int32_t)(((uint32_t)sum << (uint32_t)headroom) - 0x80000000u));
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t share = satkd_high_product(scale, exponentials[largest - codes[channel]]);
      const int32_t code = satkd_divide_by_power_of_two(share, (12 - headroom) + (31 - 8));
      to[channel] = satkd_clamp(code - 128, -128, 127);
    }
  }
}
