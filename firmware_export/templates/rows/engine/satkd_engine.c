/* See satkd_engine.h. */
#include "satkd_engine.h"

#include <stdbool.h>

#include "satkd_engine_kernels.h"

/* ---- Memory: a compiler that sees a model's definition must read memory all the same, so what is checked is volatile. ---- */

/* FNV-1a over words. */
static uint32_t satkd_engine_hash(const void *start, uint32_t count) {
  const volatile uint32_t *words = (const volatile uint32_t *)start;
  const uint32_t pairs = count & ~(uint32_t)1;
  uint32_t hash = 0x811c9dc5u;
  for (uint32_t i = 0; i < pairs; i += 2u) {
    hash = (hash ^ words[i]) * 0x01000193u;
    hash = (hash ^ words[i + 1u]) * 0x01000193u;
  }
  if (pairs != count) {
    hash = (hash ^ words[pairs]) * 0x01000193u;
  }
  return hash;
}

static uint32_t satkd_engine_hash_bytes(const uint8_t *start, uint32_t count) {
  const volatile uint8_t *bytes = (const volatile uint8_t *)start;
  uint32_t hash = 0x811c9dc5u;
  for (uint32_t i = 0; i < count; ++i) {
    hash = (hash ^ bytes[i]) * 0x01000193u;
  }
  return hash;
}

static const satkd_engine_layer *satkd_engine_layers(const satkd_engine_model *model) {
  return (const satkd_engine_layer *)(const void *)satkd_engine_constant(model, (uint32_t)sizeof(*model));
}

static const satkd_engine_fill *satkd_engine_fills(const satkd_engine_model *model) {
  return (const satkd_engine_fill *)(const void *)&satkd_engine_layers(model)[model->layers];
}

static uint16_t *satkd_engine_steps(void *context) {
  return (uint16_t *)(void *)satkd_engine_words(context, (uint32_t)sizeof(satkd_engine_state));
}

/* ---- Checks ---- */

static bool satkd_engine_is_model(const satkd_engine_model *model) {
  const uint32_t words = (uint32_t)(sizeof(*model) / 4u) - 1u;
  return (satkd_engine_hash(model, words) == model->check) && (model->version == (uint32_t)SATKD_ENGINE_VERSION);
}

static bool satkd_engine_is_layer(const satkd_engine_layer *layer) {
  return satkd_engine_hash(layer, (uint32_t)(sizeof(*layer) / 4u) - 1u) == layer->check;
}

/* The model but for its weights and tables; its first words are checked already. */
static bool satkd_engine_is_intact(const satkd_engine_model *model) {
  const uint32_t fill_words = model->fills * (uint32_t)(sizeof(satkd_engine_fill) / 4u);
  const uint8_t *schedule = satkd_engine_constant(model, model->schedule);
  bool is_intact = (satkd_engine_hash(satkd_engine_fills(model), fill_words) == model->fills_check) &&
                  (satkd_engine_hash_bytes(schedule, model->schedule_steps * model->schedule_bytes) ==
                   model->schedule_check);
  for (uint32_t i = 0; i < model->layers; ++i) {
    is_intact = is_intact && satkd_engine_is_layer(&satkd_engine_layers(model)[i]);
  }
  return is_intact;
}

/* Every step of the schedule adds 1 to one count and to the position. */
static bool satkd_engine_counters_agree(const satkd_engine_model *model, void *context) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  const uint16_t *steps = satkd_engine_steps(context);
  uint32_t sum = 0;
  for (uint32_t i = 0; i <= model->layers; ++i) {
    sum += steps[i];
  }
  return sum == state->position;
}

/* Not 0, the value of cleared memory, and another one for each model. */
static uint32_t satkd_engine_begun(const satkd_engine_model *model) {
  return model->check | 1u;
}

static int satkd_engine_check(const satkd_engine_model *model, void *context) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  int status = SATKD_OK;
  if (!satkd_engine_is_model(model)) {
    status = SATKD_CORRUPT;
  } else if (state->begun != satkd_engine_begun(model)) {
    status = SATKD_NOT_BEGUN;
  } else if (!satkd_engine_counters_agree(model, context) || (state->position > model->schedule_steps)) {
    status = SATKD_UPSET;
  } else {
    /* all is well */
  }
  return status;
}

/* The image cannot go on: no later call may succeed. A context in which no image of this model is in progress stays as it is;
   it may be that of another model. */
static int satkd_engine_stop(void *context, int status) {
  if (status != SATKD_NOT_BEGUN) {
    ((satkd_engine_state *)context)->begun = 0;
  }
  return status;
}

/* ---- The schedule ---- */

static uint32_t satkd_engine_entry(const satkd_engine_model *model, uint32_t position) {
  const uint8_t *schedule = satkd_engine_constant(model, model->schedule);
  uint32_t entry;
  if (model->schedule_bytes == 1u) {
    entry = schedule[position];
  } else {
    entry = (uint32_t)schedule[2u * position] | ((uint32_t)schedule[(2u * position) + 1u] << 8u);
  }
  return entry;
}

static void satkd_engine_count(void *context, uint32_t entry) {
  satkd_engine_state *state = (satkd_engine_state *)context;
  uint16_t *steps = satkd_engine_steps(context);
  steps[entry] = (uint16_t)(steps[entry] + 1u);
  state->position += 1u;
}

/* Takes a row of the image, which the schedule must ask for. */
static int satkd_engine_take(const satkd_engine_model *model, void *context, const void *row) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  const uint32_t step = satkd_engine_steps(context)[0];
  int status = SATKD_OK;
  if (satkd_engine_entry(model, state->position) != SATKD_ENGINE_ROW_OF_IMAGE) {
    status = SATKD_CORRUPT;
  } else if (step >= model->input.height) {
    status = SATKD_UPSET;
  } else {
    const uint32_t count = model->input_codes;
    int8_t *in = satkd_engine_slot(context, &model->input, step);
    if (model->has_pixels != 0u) {
      /* Scale 1/255 and zero point -128. */
      const uint8_t *pixels = (const uint8_t *)row;
      for (uint32_t i = 0; i < count; ++i) {
        in[i] = (int8_t)((int32_t)pixels[i] - 128);
      }
    } else {
      const int8_t *codes = (const int8_t *)row;
      for (uint32_t i = 0; i < count; ++i) {
        in[i] = codes[i];
      }
    }
    satkd_engine_count(context, SATKD_ENGINE_ROW_OF_IMAGE);
  }
  return status;
}

/* The next step of a layer, or SATKD_IN_PROGRESS if the schedule asks for a row of the image or has ended. */
static int satkd_engine_step(const satkd_engine_model *model, void *context) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  int status = SATKD_IN_PROGRESS;
  if (!satkd_engine_counters_agree(model, context) || (state->position > model->schedule_steps)) {
    status = SATKD_UPSET;
  } else if (state->position < model->schedule_steps) {
    const uint32_t entry = satkd_engine_entry(model, state->position);
    if (entry > model->layers) {
      status = SATKD_CORRUPT;
    } else if (entry != SATKD_ENGINE_ROW_OF_IMAGE) {
      const satkd_engine_layer *layer = &satkd_engine_layers(model)[entry - 1u];
      const uint32_t step = satkd_engine_steps(context)[entry];
      if (!satkd_engine_is_layer(layer)) {
        status = SATKD_CORRUPT;
      } else if (step >= layer->steps) {
        status = SATKD_UPSET;
      } else {
        status = satkd_engine_compute(model, context, layer, step);
        satkd_engine_count(context, entry);
      }
    } else {
      /* a row of the image */
    }
  } else {
    /* the end */
  }
  return status;
}

/* ---- Functions ---- */

int satkd_engine_begin(const satkd_engine_model *model, void *context, size_t context_bytes) {
  uint32_t most = 0;
  if ((model == NULL) || (context == NULL)) {
    return SATKD_NULL_POINTER;
  }
  if (!satkd_engine_is_model(model) || !satkd_engine_is_intact(model)) {
    return SATKD_CORRUPT;
  }
  for (uint32_t i = 0; i < 3u; ++i) {
    most = (model->scratch_bytes[i] > most) ? model->scratch_bytes[i] : most;
  }
  if ((context_bytes < (size_t)(model->context_bytes + model->scratch_bytes[satkd_engine_kernels()])) ||
      (context_bytes > (size_t)(model->context_bytes + most))) {
    return SATKD_WRONG_SIZE;
  }
  satkd_engine_state *state = (satkd_engine_state *)context;
  state->position = 0;
  for (uint32_t i = 0; i <= model->layers; ++i) {
    satkd_engine_steps(context)[i] = 0;
  }
  for (uint32_t i = 0; i < model->fills; ++i) {
    const satkd_engine_fill *fill = &satkd_engine_fills(model)[i];
    int32_t *words = satkd_engine_words(context, fill->start);
    for (uint32_t j = 0; j < fill->words; ++j) {
      words[j] = fill->codes;
    }
  }
  state->begun = satkd_engine_begun(model);
  return SATKD_OK;
}

int satkd_engine_push_row(const satkd_engine_model *model, void *context, const void *row) {
  if ((model == NULL) || (context == NULL) || (row == NULL)) {
    return SATKD_NULL_POINTER;
  }
  int status = satkd_engine_check(model, context);
  if (status != SATKD_OK) {
    return satkd_engine_stop(context, status);
  }
  if (((const satkd_engine_state *)context)->position >= model->schedule_steps) {
    return SATKD_TOO_MANY_ROWS;
  }
  status = satkd_engine_take(model, context, row);
  for (uint32_t i = 0; (i <= model->schedule_steps) && (status == SATKD_OK); ++i) {
    status = satkd_engine_step(model, context);
  }
  if (status != SATKD_IN_PROGRESS) {
    return satkd_engine_stop(context, status);
  }
  return SATKD_OK;
}

int satkd_engine_finish(const satkd_engine_model *model, void *context, int8_t *out) {
  if ((model == NULL) || (context == NULL) || (out == NULL)) {
    return SATKD_NULL_POINTER;
  }
  int status = satkd_engine_check(model, context);
  if (status == SATKD_OK) {
    if (((const satkd_engine_state *)context)->position < model->schedule_steps) {
      return SATKD_TOO_FEW_ROWS;
    }
    const uint16_t *steps = satkd_engine_steps(context);
    status = satkd_engine_is_intact(model) ? SATKD_OK : SATKD_CORRUPT;
    if (steps[0] != model->input.height) {
      status = SATKD_UPSET;
    }
    for (uint32_t i = 0; (i < model->layers) && (status == SATKD_OK); ++i) {
      if (steps[i + 1u] != satkd_engine_layers(model)[i].steps) {
        status = SATKD_UPSET;
      }
    }
  }
  if (status == SATKD_OK) {
    for (uint32_t row = 0; row < model->output.height; ++row) {
      const int8_t *codes = satkd_engine_slot(context, &model->output, row);
      for (uint32_t i = 0; i < model->output_codes; ++i) {
        out[(row * model->output_codes) + i] = codes[i];
      }
    }
  }
  return satkd_engine_stop(context, status);
}

int satkd_engine_run(const satkd_engine_model *model, void *context, size_t context_bytes, const void *image, int8_t *out) {
  if ((image == NULL) || (out == NULL)) {
    return SATKD_NULL_POINTER;
  }
  int status = satkd_engine_begin(model, context, context_bytes);
  if (status == SATKD_OK) {
    for (uint32_t row = 0; (row < model->input.height) && (status == SATKD_OK); ++row) {
      status = satkd_engine_push_row(model, context, &((const uint8_t *)image)[row * model->input_codes]);
    }
  }
  return (status == SATKD_OK) ? satkd_engine_finish(model, context, out) : status;
}

/* ---- Integrity ---- */

/* `crc` with one more byte, inverted as it is inside the computation. */
static uint32_t satkd_engine_crc_byte(uint32_t crc, uint32_t byte) {
  static const uint32_t nibbles[16] = {
      0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
      0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
  };
  uint32_t result = crc ^ byte;
  result = (result >> 4u) ^ nibbles[result & 15u];
  result = (result >> 4u) ^ nibbles[result & 15u];
  return result;
}

uint32_t satkd_crc32(const void *data, size_t length, uint32_t seed) {
  const volatile uint8_t *bytes = (const volatile uint8_t *)data;
  uint32_t crc = ~seed;
  for (size_t i = 0; i < length; ++i) {
    crc = satkd_engine_crc_byte(crc, bytes[i]);
  }
  return ~crc;
}

/* CRC-32 of `bytes` bytes of a model from `start` on. */
static uint32_t satkd_engine_crc(const satkd_engine_model *model, uint32_t words_bytes, uint32_t start, uint32_t bytes,
                                 uint32_t seed) {
  const volatile uint32_t *words = (const volatile uint32_t *)(const void *)model;
  uint32_t position = start;
  uint32_t crc = ~seed;
  while ((position < words_bytes) && ((position - start) < bytes)) {
    crc = satkd_engine_crc_byte(crc, (words[position / 4u] >> (8u * (position % 4u))) & 255u);
    ++position;
  }
  const uint32_t done = position - start;
  return satkd_crc32(satkd_engine_constant(model, position), (size_t)bytes - done, ~crc);
}

int satkd_engine_verify(const satkd_engine_model *model, uint32_t words_bytes, uint32_t bytes, uint32_t crc) {
  int status = SATKD_NULL_POINTER;
  if (model != NULL) {
    status = (satkd_engine_crc(model, words_bytes, 0, bytes, 0) == crc) ? SATKD_OK : SATKD_CORRUPT;
  }
  return status;
}

int satkd_engine_scrub_step(const satkd_engine_model *model, uint32_t words_bytes, uint32_t bytes, uint32_t crc,
                            satkd_scrubber *scrubber, uint32_t step_bytes) {
  int status = SATKD_IN_PROGRESS;
  if ((model == NULL) || (scrubber == NULL)) {
    return SATKD_NULL_POINTER;
  }
  if (scrubber->position >= bytes) { /* only after an upset */
    scrubber->position = 0;
    scrubber->crc = 0;
  }
  const uint32_t left = bytes - scrubber->position;
  const uint32_t piece = (step_bytes < left) ? step_bytes : left;
  scrubber->crc = satkd_engine_crc(model, words_bytes, scrubber->position, piece, scrubber->crc);
  scrubber->position += piece;
  if (scrubber->position >= bytes) {
    status = (scrubber->crc == crc) ? SATKD_OK : SATKD_CORRUPT;
    scrubber->position = 0;
    scrubber->crc = 0;
  }
  return status;
}

static uint32_t satkd_engine_correct(uint8_t *byte, uint8_t majority) {
  uint32_t corrected = 0;
  if (*byte != majority) {
    *byte = majority;
    corrected = 1;
  }
  return corrected;
}

uint32_t satkd_repair_by_majority(uint8_t *a, uint8_t *b, uint8_t *c, uint32_t length) {
  uint32_t corrected = 0;
  for (uint32_t i = 0; i < length; ++i) {
    const uint32_t majority = ((uint32_t)a[i] & b[i]) | ((uint32_t)b[i] & c[i]) | ((uint32_t)c[i] & a[i]);
    corrected += satkd_engine_correct(&a[i], (uint8_t)majority);
    corrected += satkd_engine_correct(&b[i], (uint8_t)majority);
    corrected += satkd_engine_correct(&c[i], (uint8_t)majority);
  }
  return corrected;
}
