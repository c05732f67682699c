/* What the engine's files share. */
#ifndef SATKD_ENGINE_KERNELS_H
#define SATKD_ENGINE_KERNELS_H

#include <stdbool.h>

#include "satkd_engine.h"

typedef char satkd_layers_have_no_gaps[(sizeof(satkd_engine_layer) == (72u * 4u)) ? 1 : -1];
typedef char satkd_models_have_no_gaps[(sizeof(satkd_engine_model) == (24u * 4u)) ? 1 : -1];

/* Places in a model and in a context. */

static inline const uint8_t *satkd_engine_constant(const satkd_engine_model *model, uint32_t offset) {
  return &((const uint8_t *)model)[offset];
}

static inline int32_t *satkd_engine_words(void *context, uint32_t offset) {
  return (int32_t *)(void *)&((uint8_t *)context)[offset];
}

static inline int8_t *satkd_engine_slot(void *context, const satkd_engine_rows *rows, uint32_t row) {
  return &((int8_t *)context)[rows->start + ((row % rows->depth) * rows->row_bytes)];
}

/* Rows of a kernel whose addresses are found once per row of outputs. */
#define SATKD_ENGINE_KERNEL_ROWS 12

/* A layer's constants. */
typedef struct satkd_weights {
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multipliers;
  const int8_t *shifts;
} satkd_weights;

/* The rows of an input under a kernel. */
typedef struct satkd_window {
  const int8_t *rows[SATKD_ENGINE_KERNEL_ROWS]; /* the first of them */
  const int8_t *ring;
  const int8_t *outside; /* for rows above or below the image */
  const satkd_engine_rows *in;
  int32_t first;
  int32_t count;
  int32_t dilation; /* from one of them to the next */
} satkd_window;

static inline const int8_t *satkd_find_row(const satkd_window *window, int32_t y) {
  const int32_t row = window->first + (y * window->dilation);
  const int8_t *found = window->outside;
  if ((row >= 0) && (row < (int32_t)window->in->height)) {
    found = &window->ring[((uint32_t)row % window->in->depth) * window->in->row_bytes];
  }
  return found;
}

static inline int32_t satkd_engine_first_row(const satkd_engine_layer *layer, uint32_t step) {
  return ((int32_t)step * layer->stride_height) - layer->pad_top;
}

static inline void satkd_engine_find_weights(satkd_weights *constants, const satkd_engine_model *model,
                                             const satkd_engine_layer *layer) {
  constants->weights = (const int8_t *)satkd_engine_constant(model, layer->weights);
  constants->bias = (const int32_t *)(const void *)satkd_engine_constant(model, layer->bias);
  constants->multipliers = (const int32_t *)(const void *)satkd_engine_constant(model, layer->multipliers);
  constants->shifts = (const int8_t *)satkd_engine_constant(model, layer->shifts);
}

/* A step of a layer whose words are checked. Returns SATKD_OK, or SATKD_CORRUPT for an unknown kind. */
int satkd_engine_compute(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer, uint32_t step);
int satkd_engine_compute_structure(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                   uint32_t step);

int satkd_engine_compute_elementwise(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer,
                                     uint32_t step);

/* The rows of outputs that a step writes, or parts of them: from `first` to before `end`. */
typedef struct satkd_engine_written {
  uint32_t first;
  uint32_t end;
} satkd_engine_written;

satkd_engine_written satkd_engine_rows_written(const satkd_engine_layer *layer, uint32_t step);

/* A convolution or dense layer whose has_fast_sums is not 0, and any other. */
void satkd_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                    int8_t *out, int32_t *scratch);
void satkd_conv_row_with_any_sums(const satkd_engine_layer *layer, const satkd_weights *constants,
                                  const satkd_window *window, int8_t *out);
void satkd_add_row(const satkd_engine_layer *layer, const int8_t *a, const int8_t *b, int8_t *out);
/* With columns between the taps of the kernel. */
void satkd_dilated_conv_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                            int8_t *out);
void satkd_dilated_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                                 int8_t *out);
void satkd_depthwise_row(const satkd_engine_layer *layer, const satkd_weights *constants, const satkd_window *window,
                         int8_t *out);
void satkd_lookup_row(const satkd_engine_layer *layer, const int8_t *table, const int8_t *in, int8_t *out);
void satkd_average_pool_row(const satkd_engine_layer *layer, const satkd_window *window, int8_t *out);
void satkd_max_pool_row(const satkd_engine_layer *layer, const satkd_window *window, int8_t *out);
void satkd_sum_row(const satkd_engine_layer *layer, const int8_t *in, int32_t *sums, bool is_first);
void satkd_average_row(const satkd_engine_layer *layer, const int32_t *sums, int32_t rows, int8_t *out);
void satkd_mean_row(const satkd_engine_layer *layer, const int32_t *sums, int8_t *out);
void satkd_reshape_row(const satkd_engine_layer *layer, const int8_t *in, uint32_t step, int8_t *ring);
void satkd_pad_row(const satkd_engine_layer *layer, const int8_t *in, int8_t *out);
void satkd_softmax_row(const satkd_engine_layer *layer, const int32_t *exponentials, const int8_t *in, int8_t *out);

#endif /* SATKD_ENGINE_KERNELS_H */
