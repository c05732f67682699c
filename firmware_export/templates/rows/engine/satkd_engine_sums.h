/* What kernels with weights share: rows under a window, sums of products, and the output of a sum. */
#ifndef SATKD_ENGINE_SUMS_H
#define SATKD_ENGINE_SUMS_H

#include "satkd_engine_arithmetic.h"
#include "satkd_engine_kernels.h"

static inline const int8_t *satkd_row(const satkd_window *window, int32_t y) {
  return (y < SATKD_ENGINE_KERNEL_ROWS) ? window->rows[y] : satkd_find_row(window, y);
}

static inline int32_t satkd_dot(const int8_t *in, const int8_t *weights, int32_t count, int32_t initial) {
  const int32_t fours = (int32_t)((uint32_t)count & ~(uint32_t)3);
  int32_t sum = initial;
  for (int32_t i = 0; i < fours; i += 4) {
    sum = satkd_add(sum, ((int32_t)in[i] * weights[i]) + ((int32_t)in[i + 1] * weights[i + 1]));
    sum = satkd_add(sum, ((int32_t)in[i + 2] * weights[i + 2]) + ((int32_t)in[i + 3] * weights[i + 3]));
  }
  for (int32_t i = fours; i < count; ++i) {
    sum = satkd_add(sum, (int32_t)in[i] * weights[i]);
  }
  return sum;
}

static inline int8_t satkd_output(const satkd_engine_layer *layer, const satkd_weights *constants, int32_t channel, int32_t sum) {
  const int32_t scaled = satkd_requantize(sum, constants->multipliers[channel], constants->shifts[channel]);
  return satkd_clamp(satkd_add(scaled, layer->zero_point_out), layer->lowest, layer->highest);
}

#endif /* SATKD_ENGINE_SUMS_H */
