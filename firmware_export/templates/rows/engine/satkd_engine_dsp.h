/* Kernels for cores with the DSP extension (Armv7E-M: Cortex-M4, M7; Armv8-M with DSP: M33), for satkd_engine_kernels.c. SMLAD
   multiplies two pairs of 16-bit numbers and adds both products. */
#ifndef SATKD_ENGINE_DSP_H
#define SATKD_ENGINE_DSP_H

#include "satkd_engine_dsp_depthwise.h"

/* Larger patches of four pixels are worked a kernel row at a time, with their sums in memory. */
#define SATKD_WHOLE_PATCHES_BYTES 2560

/* Whether neighbouring pixels can share their inputs. */
SATKD_INLINE bool satkd_has_columns(const satkd_engine_layer *layer) {
  return (layer->kernel_width == 3) && (layer->stride_width == 1) && ((layer->channels_in % 16) == 0) &&
         (layer->width_out >= 6);
}

/* How many channels apart two channels are that can be multiplied by the same inputs; 0 if there are none. */
SATKD_INLINE int32_t satkd_pair_distance(const satkd_engine_layer *layer, int32_t depth) {
  const int32_t distance = SATKD_DISTANCE / depth;
  const bool is_possible = ((distance * depth) == SATKD_DISTANCE) && ((depth % 48) == 0) && (layer->width_out >= 4) &&
                           (((layer->kernel_width * layer->channels_in) % 4) == 0) &&
                           ((layer->channels_out % (2 * distance)) == 0);
  return is_possible ? distance : 0;
}

/* For all channels of the first pixels, with `inputs`. */
SATKD_INLINE satkd_six satkd_six_of(const satkd_channels *channels, const satkd_weights *constants, const int32_t *inputs,
                                    int32_t step, int8_t *out) {
  const satkd_six six = {
      .bias = constants->bias,
      .sums = NULL,
      .kept = NULL,
      .weights = constants->weights,
      .inputs = inputs,
      .step = step,
      .depth = channels->depth,
      .skip = channels->skip,
      .multipliers = constants->multipliers,
      .shifts = constants->shifts,
      .zero_point = channels->output_zero_point,
      .out = out,
      .out_step = channels->out_step,
      .count = channels->count,
      .rest = 0,
  };
  return six;
}

/* All channels of three pixels. */
SATKD_INLINE void satkd_pairs_3(satkd_six *six, int32_t distance) {
  const int32_t groups = six->count / (2 * distance);
  for (int32_t group = 0; group < groups; ++group) {
    six->count = distance;
    satkd_multiply_pairs(six);
    six->weights += SATKD_DISTANCE;
    six->bias += distance;
    six->multipliers += distance;
    six->shifts += distance;
    six->out += distance;
  }
}

/* Where `count` pixels that begin with `next` begin: the last of a row may overlap those before. */
SATKD_INLINE int32_t satkd_begin_of(const satkd_engine_layer *layer, int32_t next, int32_t count) {
  return ((next + count) > layer->width_out) ? (layer->width_out - count) : next;
}

/* The last four pixels may overlap those before; each pixel of a narrow row whose patches are no whole number of words is computed
   four times. */
SATKD_INLINE int32_t satkd_begin_of_4(const satkd_engine_layer *layer, int32_t next) {
  return (layer->width_out < 4) ? (next / 4) : satkd_begin_of(layer, next, 4);
}

SATKD_INLINE int32_t satkd_end_of_row(const satkd_engine_layer *layer) {
  return (layer->width_out < 4) ? (4 * layer->width_out) : layer->width_out;
}

/* Whether the pixels of a row from `next` on are few enough to be computed one by one. */
SATKD_INLINE bool satkd_is_few(const satkd_engine_layer *layer, int32_t next) {
  const bool has_words = ((layer->kernel_width * layer->channels_in) % 4) == 0;
  return has_words && ((layer->width_out < 4) || ((layer->width_out - next) < 3));
}

SATKD_SHARED void satkd_convolve_few(const satkd_engine_layer *layer, const satkd_weights *constants,
                                     const int8_t *const *rows, int32_t next, int8_t *out, int32_t *scratch) {
  for (int32_t x = next; x < layer->width_out; ++x) {
    satkd_convolve_pixel(layer, constants, rows, x * layer->stride_width * layer->channels_in,
                         out + (x * layer->channels_out), scratch);
  }
}

/* A kernel row at a time, with the sums in memory. Returns the first of the pixels that are left to satkd_convolve_few. */
SATKD_SHARED int32_t satkd_convolve_by_rows(const satkd_engine_layer *layer, const satkd_weights *constants,
                                            const int8_t *const *rows, int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t last = layer->kernel_height - 1;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  const satkd_channels channels = satkd_channels_of(layer, constants, row_bytes, last * row_bytes);
  int32_t next = 0;
  if (satkd_has_columns(layer) && (layer->channels_out <= layer->channels_in) && channels.is_plain) {
    int32_t *const sums = scratch + ((SATKD_COLUMNS / 2) * layer->channels_in);
    for (; (next + 4) < layer->width_out; next += 6) {
      const int32_t x = satkd_begin_of(layer, next, 6);
      for (int32_t y = 0; y <= last; ++y) {
        satkd_widen_columns(rows[y] + (x * pixel_bytes), layer->channels_in, scratch);
        satkd_six six = satkd_six_of(&channels, constants, scratch, layer->channels_in, out);
        six.out += x * layer->channels_out;
        six.weights += y * row_bytes;
        six.sums = (y == 0) ? NULL : sums;
        six.kept = (y == last) ? NULL : sums;
        satkd_multiply_columns(&six);
      }
    }
  }
  int32_t *const sums = scratch + (2 * row_bytes);
  for (; (next < satkd_end_of_row(layer)) && !satkd_is_few(layer, next); next += 4) {
    const int32_t x = satkd_begin_of_4(layer, next);
    for (int32_t y = 0; y <= last; ++y) {
      satkd_widen_4(rows[y] + (x * pixel_bytes), (layer->width_out < 4) ? 0 : pixel_bytes, row_bytes, scratch);
      satkd_channels_4(&channels, scratch, constants->weights + (y * row_bytes), (y == 0) ? constants->bias : sums,
                       (y == 0) ? 0 : 1, (y == 0) ? 1 : 4, (y == last) ? NULL : sums,
                       out + (x * layer->channels_out));
    }
  }
  return next;
}

/* Whole patches, likewise. */
SATKD_SHARED int32_t satkd_convolve_whole(const satkd_engine_layer *layer, const satkd_weights *constants,
                                          const int8_t *const *rows, int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  const int32_t depth = layer->kernel_height * row_bytes;
  const int32_t pixel_bytes = layer->stride_width * layer->channels_in;
  const int32_t step = (layer->width_out < 4) ? 0 : pixel_bytes;
  const int32_t distance = satkd_pair_distance(layer, depth);
  const satkd_channels channels = satkd_channels_of(layer, constants, depth, 0);
  const satkd_six first = satkd_six_of(&channels, constants, scratch, layer->channels_in, out);
  int32_t next = 0;
  if (channels.is_plain && satkd_has_columns(layer)) {
    for (; (next + 4) < layer->width_out; next += 6) {
      const int32_t x = satkd_begin_of(layer, next, 6);
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        satkd_widen_columns(rows[y] + (x * pixel_bytes), layer->channels_in,
                            scratch + (y * (SATKD_COLUMNS / 2) * layer->channels_in));
      }
      satkd_six six = first;
      six.out += x * layer->channels_out;
      satkd_multiply_columns(&six);
    }
  }
  if (channels.is_plain && (distance != 0)) {
    /* Four more pixels are no more work than six. */
    for (; (next < layer->width_out) && ((next + 4) != layer->width_out); next += 3) {
      const int32_t x = satkd_begin_of(layer, next, 3);
      for (int32_t y = 0; y < layer->kernel_height; ++y) {
        satkd_widen_3(rows[y] + (x * pixel_bytes), pixel_bytes, row_bytes, scratch + ((y * row_bytes * 3) / 2));
      }
      satkd_six six = first;
      six.step = distance;
      six.out += x * layer->channels_out;
      satkd_pairs_3(&six, distance);
    }
  }
  for (; (next < satkd_end_of_row(layer)) && !satkd_is_few(layer, next); next += 4) {
    const int32_t x = satkd_begin_of_4(layer, next);
    if ((row_bytes % 4) == 0) {
      satkd_widen_patches_4(layer, rows, x * pixel_bytes, step, scratch);
    } else {
      satkd_widen_odd_patches_4(layer, rows, x * pixel_bytes, step, scratch);
    }
    if (channels.is_plain) {
      satkd_six six = first;
      six.out += x * layer->channels_out;
      satkd_multiply_four(&six);
    } else {
      satkd_channels_4(&channels, scratch, constants->weights, constants->bias, 0, 1, NULL,
                       out + (x * layer->channels_out));
    }
  }
  return next;
}

/* reference/integer_ops/conv.h. If a sum may be beyond +-2^30 (fits_fast_sums in rows/fast_kernels.py), all are requantized as in the
   portable kernel.
     scratch: conv_scratch_bytes in rows/fast_kernels.py. */
void satkd_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                    int8_t *out, int32_t *scratch) {
  const int32_t row_bytes = layer->kernel_width * layer->channels_in;
  int32_t next;
  if (satkd_is_few(layer, 0)) {
    next = 0;
  } else if (((row_bytes % 4) == 0) && ((8 * layer->kernel_height * row_bytes) > SATKD_WHOLE_PATCHES_BYTES)) {
    next = satkd_convolve_by_rows(layer, constants, window->rows, out, scratch);
  } else {
    next = satkd_convolve_whole(layer, constants, window->rows, out, scratch);
  }
  satkd_convolve_few(layer, constants, window->rows, next, out, scratch);
}

#endif /* SATKD_ENGINE_DSP_H */
