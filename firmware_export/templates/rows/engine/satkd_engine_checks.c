/* See satkd_engine_checks.h. Checked memory is volatile: a compiler that sees a model's definition must read it all the same. */
#include "satkd_engine_checks.h"

/* A sum in progress. */
typedef struct satkd_sum {
  uint64_t value;
  uint32_t factor; /* of the next word */
} satkd_sum;

static satkd_sum satkd_begin_sum(void) {
  /* Volatile: from a known first factor, GCC counts the factors in 64 bits, which triples the instructions. */
  const volatile uint32_t first = SATKD_ENGINE_FIRST_FACTOR;
  const satkd_sum sum = {0, first};
  return sum;
}

static satkd_sum satkd_sum_words(satkd_sum before, const void *start, uint32_t count) {
  const volatile uint32_t *words = (const volatile uint32_t *)start;
  satkd_sum sum = before;
  for (uint32_t i = 0; i < count; ++i) {
    sum.value += (uint64_t)words[i] * sum.factor;
    sum.factor += 2u;
  }
  return sum;
}

bool satkd_engine_is_big_endian(void) {
  const uint32_t one = 1;
  return *(const uint8_t *)&one == 0u;
}

uint32_t satkd_engine_with_other_byte_order(uint32_t word) {
  return (word << 24u) | ((word & 0xff00u) << 8u) | ((word >> 8u) & 0xff00u) | (word >> 24u);
}

/* The same for bytes, four at a time. */
static satkd_sum satkd_sum_bytes(satkd_sum before, const void *start, uint32_t count) {
  satkd_sum sum = before;
  if (satkd_engine_is_big_endian()) {
    const volatile uint32_t *words = (const volatile uint32_t *)start;
    for (uint32_t i = 0; i < count; ++i) {
      sum.value += (uint64_t)satkd_engine_with_other_byte_order(words[i]) * sum.factor;
      sum.factor += 2u;
    }
  } else {
    sum = satkd_sum_words(before, start, count);
  }
  return sum;
}

static uint64_t satkd_sum_of(const void *start, uint32_t count) {
  return satkd_sum_words(satkd_begin_sum(), start, count).value;
}

uint64_t satkd_engine_sum(const satkd_engine_model *model, satkd_engine_span numbers, satkd_engine_span codes,
                          satkd_engine_span border) {
  satkd_sum sum = satkd_begin_sum();
  sum = satkd_sum_words(sum, satkd_engine_constant(model, numbers.start), numbers.words);
  sum = satkd_sum_bytes(sum, satkd_engine_constant(model, codes.start), codes.words);
  return satkd_sum_bytes(sum, satkd_engine_constant(model, border.start), border.words).value;
}

static bool satkd_is_sum(uint64_t sum, const satkd_engine_check *check) {
  const volatile satkd_engine_check *expected = check;
  const uint32_t low = expected->low;
  const uint32_t high = expected->high;
  return ((uint32_t)sum == low) && ((uint32_t)(sum >> 32u) == high);
}

/* ---- The model ---- */

/* Copies words, and returns their sum. */
static uint64_t satkd_copy_words(void *copy, const void *start, uint32_t count) {
  const volatile uint32_t *words = (const volatile uint32_t *)start;
  uint32_t *copies = (uint32_t *)copy;
  satkd_sum sum = satkd_begin_sum();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t word = words[i];
    copies[i] = word;
    sum.value += (uint64_t)word * sum.factor;
    sum.factor += 2u;
  }
  return sum.value;
}

bool satkd_engine_open_model(satkd_engine_call *call, const satkd_engine_model *model) {
  const uint32_t words = (uint32_t)((sizeof(*model) - sizeof(model->check)) / 4u);
  const uint64_t sum = satkd_copy_words(&call->head, model, words);
  call->model = model;
  call->head.check.low = (uint32_t)sum;
  call->head.check.high = (uint32_t)(sum >> 32u);
  return satkd_is_sum(sum, &model->check) && (call->head.version == (uint32_t)SATKD_ENGINE_VERSION);
}

bool satkd_engine_copy_layer(satkd_engine_layer *copy, const satkd_engine_layer *layer) {
  const uint32_t words = (uint32_t)((sizeof(*layer) - sizeof(layer->check)) / 4u);
  return satkd_is_sum(satkd_copy_words(copy, layer, words), &layer->check);
}

static bool satkd_is_layer(const satkd_engine_layer *layer) {
  const uint32_t words = (uint32_t)((sizeof(*layer) - sizeof(layer->check)) / 4u);
  return satkd_is_sum(satkd_sum_of(layer, words), &layer->check);
}

bool satkd_engine_is_intact(const satkd_engine_call *call) {
  const satkd_engine_span none = {0, 0};
  const uint32_t fill_words = call->head.fills * (uint32_t)(sizeof(satkd_engine_fill) / 4u);
  const uint64_t schedule_sum = satkd_engine_sum(call->model, none, satkd_engine_schedule(call), none);
  bool is_intact = satkd_is_sum(satkd_sum_of(satkd_engine_fills(call), fill_words), &call->head.fills_check) &&
                   satkd_is_sum(schedule_sum, &call->head.schedule_check);
  for (uint32_t i = 0; i < call->head.layers; ++i) {
    satkd_engine_feed_watchdog();
    is_intact = is_intact && satkd_is_layer(&satkd_engine_layers(call->model)[i]);
  }
  return is_intact;
}

bool satkd_engine_are_constants_intact(const satkd_engine_model *model, const satkd_engine_layer *layer) {
  const uint32_t words = layer->numbers.words + layer->codes.words;
  return (words == 0u) || satkd_is_sum(satkd_engine_sum(model, layer->numbers, layer->codes, layer->border),
                                       &layer->constants_check);
}

/* ---- The context ---- */

/* A part of the context, and where its check is. */
typedef struct satkd_guarded {
  const int32_t *start;
  uint32_t words;
  satkd_engine_check *check;
} satkd_guarded;

static satkd_guarded satkd_guarded_words(void *context, uint32_t start, uint32_t words, uint32_t check) {
  satkd_guarded guarded;
  guarded.start = satkd_engine_words(context, start);
  guarded.words = words;
  guarded.check = (satkd_engine_check *)(void *)satkd_engine_words(context, check);
  return guarded;
}

static satkd_guarded satkd_guarded_slot(void *context, const satkd_engine_rows *rows, uint32_t row) {
  const uint32_t slot = row % rows->depth;
  return satkd_guarded_words(context, (rows->start - rows->before) + (slot * rows->row_bytes), rows->row_bytes / 4u,
                             rows->checks + (slot * (uint32_t)sizeof(satkd_engine_check)));
}

static void satkd_seal(satkd_guarded guarded) {
  const uint64_t sum = satkd_sum_of(guarded.start, guarded.words);
  guarded.check->low = (uint32_t)sum;
  guarded.check->high = (uint32_t)(sum >> 32u);
}

static bool satkd_is_sealed(satkd_guarded guarded) {
  return satkd_is_sum(satkd_sum_of(guarded.start, guarded.words), guarded.check);
}

void satkd_engine_seal_slot(void *context, const satkd_engine_rows *rows, uint32_t row) {
  if (rows->checks != 0u) {
    satkd_seal(satkd_guarded_slot(context, rows, row));
  }
}

bool satkd_engine_is_slot_intact(void *context, const satkd_engine_rows *rows, uint32_t row) {
  return (rows->checks == 0u) || satkd_is_sealed(satkd_guarded_slot(context, rows, row));
}

bool satkd_engine_is_ring_intact(void *context, const satkd_engine_rows *rows) {
  bool is_intact = true;
  for (uint32_t slot = 0; slot < rows->depth; ++slot) {
    is_intact = is_intact && satkd_engine_is_slot_intact(context, rows, slot);
  }
  return is_intact;
}

void satkd_engine_seal_ring(void *context, const satkd_engine_rows *rows) {
  for (uint32_t slot = 0; slot < rows->depth; ++slot) {
    satkd_engine_seal_slot(context, rows, slot);
  }
}

void satkd_engine_seal_sums(void *context, const satkd_engine_layer *layer) {
  if (layer->sums_words != 0u) {
    satkd_seal(satkd_guarded_words(context, layer->sums, layer->sums_words, layer->sums_check));
  }
}

bool satkd_engine_seal_all(const satkd_engine_call *call, void *context) {
  bool is_intact = true;
  satkd_engine_seal_ring(context, &call->head.input);
  for (uint32_t i = 0; (i < call->head.layers) && is_intact; ++i) {
    satkd_engine_layer layer;
    is_intact = satkd_engine_copy_layer(&layer, &satkd_engine_layers(call->model)[i]);
    if (is_intact) {
      satkd_engine_seal_ring(context, &layer.out);
      satkd_engine_seal_sums(context, &layer);
    }
  }
  return is_intact;
}

/* ---- A step ---- */

int satkd_engine_open_step(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer, uint32_t step) {
  int status = SATKD_OK;
  if ((step == 0u) && !satkd_engine_are_constants_intact(model, layer)) {
    status = SATKD_CORRUPT;
  } else if ((layer->sums_words != 0u) &&
             !satkd_is_sealed(satkd_guarded_words(context, layer->sums, layer->sums_words, layer->sums_check))) {
    status = SATKD_UPSET;
  } else if (layer->out.checks != 0u) {
    const satkd_engine_written written = satkd_engine_rows_written(layer, step);
    for (uint32_t row = written.first; row < written.end; ++row) {
      if (!satkd_engine_is_slot_intact(context, &layer->out, row)) {
        status = SATKD_UPSET;
      }
    }
  } else {
    /* nothing is checked */
  }
  return status;
}

int satkd_engine_close_step(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer, uint32_t step) {
  satkd_engine_seal_sums(context, layer);
  if (layer->out.checks != 0u) {
    const satkd_engine_written written = satkd_engine_rows_written(layer, step);
    for (uint32_t row = written.first; row < written.end; ++row) {
      satkd_engine_seal_slot(context, &layer->out, row);
    }
  }
  const bool is_last = (step + 1u) == layer->steps;
  return (!is_last || satkd_engine_are_constants_intact(model, layer)) ? SATKD_OK : SATKD_CORRUPT;
}
