/* See satkd_engine.h. */
#include "satkd_engine.h"

#include <stdbool.h>

#include "satkd_engine_checks.h"

static uint16_t *satkd_engine_steps(void *context) {
  return (uint16_t *)(void *)satkd_engine_words(context, (uint32_t)sizeof(satkd_engine_state));
}

/* ---- Checks ---- */

/* Every step of the schedule adds 1 to one count and to the position. */
static bool satkd_engine_counters_agree(const satkd_engine_call *call, void *context) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  const uint16_t *steps = satkd_engine_steps(context);
  uint32_t sum = 0;
  for (uint32_t i = 0; i <= call->head.layers; ++i) {
    sum += steps[i];
  }
  return sum == state->position;
}

/* Not 0, the value of cleared memory, and another one for each model. */
static uint32_t satkd_engine_begun(const satkd_engine_call *call) {
  return call->head.check.low | 1u;
}

/* Begins a call in which an image is in progress. */
static int satkd_engine_open_call(satkd_engine_call *call, const satkd_engine_model *model, void *context) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  int status = SATKD_OK;
  if (!satkd_engine_open_model(call, model)) {
    status = SATKD_CORRUPT;
  } else if (state->begun != satkd_engine_begun(call)) {
    status = SATKD_NOT_BEGUN;
  } else if (!satkd_engine_counters_agree(call, context) || (state->position > call->head.schedule_steps)) {
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

static uint32_t satkd_engine_entry(const satkd_engine_call *call, uint32_t position) {
  const uint8_t *schedule = satkd_engine_constant(call->model, call->head.schedule);
  uint32_t entry;
  if (call->head.schedule_bytes == 1u) {
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
static int satkd_engine_take(const satkd_engine_call *call, void *context, const void *row) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  const uint32_t step = satkd_engine_steps(context)[0];
  int status = SATKD_OK;
  if (satkd_engine_entry(call, state->position) != SATKD_ENGINE_ROW_OF_IMAGE) {
    status = SATKD_CORRUPT;
  } else if ((step >= call->head.input.height) || !satkd_engine_is_slot_intact(context, &call->head.input, step)) {
    status = SATKD_UPSET;
  } else {
    const uint32_t count = call->head.input_codes;
    int8_t *in = satkd_engine_slot(context, &call->head.input, step);
    if (call->head.has_pixels != 0u) {
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
    satkd_engine_seal_slot(context, &call->head.input, step);
    satkd_engine_count(context, SATKD_ENGINE_ROW_OF_IMAGE);
  }
  return status;
}

/* Sets the padding of the rings of a layer, or with 0 of those that nothing else writes over. */
static bool satkd_engine_set_padding(const satkd_engine_call *call, void *context, uint32_t layer) {
  bool is_intact = true;
  for (uint32_t i = 0; i < call->head.fills; ++i) {
    const volatile satkd_engine_fill *fill = &satkd_engine_fills(call)[i];
    if (fill->layer == layer) {
      const uint32_t start = fill->start;
      const uint32_t count = fill->words;
      if (satkd_engine_is_inside(start, count, call->head.context_bytes)) {
        int32_t *words = satkd_engine_words(context, start);
        for (uint32_t j = 0; j < count; ++j) {
          words[j] = fill->codes;
        }
      } else {
        is_intact = false; /* changed since it was checked */
      }
    }
  }
  return is_intact;
}

/* The next step of a layer, or SATKD_IN_PROGRESS if the schedule asks for a row of the image or has ended. */
static int satkd_engine_step(const satkd_engine_call *call, void *context) {
  const satkd_engine_state *state = (const satkd_engine_state *)context;
  int status = SATKD_IN_PROGRESS;
  if (!satkd_engine_counters_agree(call, context) || (state->position > call->head.schedule_steps)) {
    status = SATKD_UPSET;
  } else if (state->position < call->head.schedule_steps) {
    const uint32_t entry = satkd_engine_entry(call, state->position);
    if (entry > call->head.layers) {
      status = SATKD_CORRUPT;
    } else if (entry != SATKD_ENGINE_ROW_OF_IMAGE) {
      /* A copy, which is checked and then used: a bit that flips in the model meanwhile changes no offset. */
      satkd_engine_layer layer;
      const uint32_t step = satkd_engine_steps(context)[entry];
      if (!satkd_engine_copy_layer(&layer, &satkd_engine_layers(call->model)[entry - 1u])) {
        status = SATKD_CORRUPT;
      } else if (step >= layer.steps) {
        status = SATKD_UPSET;
      } else if ((step == 0u) && !satkd_engine_set_padding(call, context, entry)) {
        status = SATKD_CORRUPT;
      } else {
        satkd_engine_feed_watchdog();
        status = satkd_engine_open_step(call->model, context, &layer, step);
        if (status == SATKD_OK) {
          status = satkd_engine_compute(call->model, context, &layer, step);
        }
        if (status == SATKD_OK) {
          status = satkd_engine_close_step(call->model, context, &layer, step);
        }
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
  satkd_engine_call call;
  uint32_t most = 0;
  if ((model == NULL) || (context == NULL)) {
    return SATKD_NULL_POINTER;
  }
  if (!satkd_engine_open_model(&call, model) || !satkd_engine_is_intact(&call)) {
    return SATKD_CORRUPT;
  }
  for (uint32_t i = 0; i < 3u; ++i) {
    most = (call.head.scratch_bytes[i] > most) ? call.head.scratch_bytes[i] : most;
  }
  if ((context_bytes < (size_t)(call.head.context_bytes + call.head.scratch_bytes[satkd_engine_kernels()])) ||
      (context_bytes > (size_t)(call.head.context_bytes + most))) {
    return SATKD_WRONG_SIZE;
  }
  satkd_engine_state *state = (satkd_engine_state *)context;
  state->begun = 0;
  state->position = 0;
  for (uint32_t i = 0; i <= call.head.layers; ++i) {
    satkd_engine_steps(context)[i] = 0;
  }
  if (!satkd_engine_set_padding(&call, context, 0) || !satkd_engine_seal_all(&call, context)) {
    return SATKD_CORRUPT;
  }
  state->begun = satkd_engine_begun(&call);
  return SATKD_OK;
}

int satkd_engine_push_row(const satkd_engine_model *model, void *context, const void *row) {
  satkd_engine_call call;
  if ((model == NULL) || (context == NULL) || (row == NULL)) {
    return SATKD_NULL_POINTER;
  }
  int status = satkd_engine_open_call(&call, model, context);
  if (status != SATKD_OK) {
    return satkd_engine_stop(context, status);
  }
  if (((const satkd_engine_state *)context)->position >= call.head.schedule_steps) {
    return SATKD_TOO_MANY_ROWS;
  }
  status = satkd_engine_take(&call, context, row);
  for (uint32_t i = 0; (i <= call.head.schedule_steps) && (status == SATKD_OK); ++i) {
    status = satkd_engine_step(&call, context);
  }
  if (status != SATKD_IN_PROGRESS) {
    return satkd_engine_stop(context, status);
  }
  return SATKD_OK;
}

/* At the end: the model is still the same, every layer has taken all its steps, and no row in the context has changed. */
static int satkd_engine_check_end(const satkd_engine_call *call, void *context) {
  const uint16_t *steps = satkd_engine_steps(context);
  int status = satkd_engine_is_intact(call) ? SATKD_OK : SATKD_CORRUPT;
  if ((status == SATKD_OK) &&
      ((steps[0] != call->head.input.height) || !satkd_engine_is_ring_intact(context, &call->head.input))) {
    status = SATKD_UPSET;
  }
  for (uint32_t i = 0; (i < call->head.layers) && (status == SATKD_OK); ++i) {
    satkd_engine_layer layer;
    if (!satkd_engine_copy_layer(&layer, &satkd_engine_layers(call->model)[i])) {
      status = SATKD_CORRUPT;
    } else if ((steps[i + 1u] != layer.steps) || !satkd_engine_is_ring_intact(context, &layer.out)) {
      status = SATKD_UPSET;
    } else {
      /* all is well */
    }
  }
  return status;
}

/* Copies the rows of the layers that are outputs of the model. */
static int satkd_engine_give_results(const satkd_engine_call *call, void *context, int8_t *out) {
  int status = SATKD_OK;
  for (uint32_t i = 0; (i < call->head.layers) && (status == SATKD_OK); ++i) {
    satkd_engine_layer layer;
    if (!satkd_engine_copy_layer(&layer, &satkd_engine_layers(call->model)[i])) {
      status = SATKD_CORRUPT;
    } else if (layer.result != 0u) {
      const uint32_t count = (uint32_t)layer.width_out * (uint32_t)layer.channels_out;
      int8_t *to = &out[layer.result - 1u];
      for (uint32_t row = 0; row < layer.out.height; ++row) {
        const int8_t *codes = satkd_engine_slot(context, &layer.out, row);
        for (uint32_t j = 0; j < count; ++j) {
          to[(row * count) + j] = codes[j];
        }
      }
    } else {
      /* read by other layers alone */
    }
  }
  return status;
}

int satkd_engine_finish(const satkd_engine_model *model, void *context, int8_t *out) {
  satkd_engine_call call;
  if ((model == NULL) || (context == NULL) || (out == NULL)) {
    return SATKD_NULL_POINTER;
  }
  int status = satkd_engine_open_call(&call, model, context);
  if (status == SATKD_OK) {
    if (((const satkd_engine_state *)context)->position < call.head.schedule_steps) {
      return SATKD_TOO_FEW_ROWS;
    }
    status = satkd_engine_check_end(&call, context);
  }
  if (status == SATKD_OK) {
    status = satkd_engine_give_results(&call, context, out);
  }
  return satkd_engine_stop(context, status);
}

int satkd_engine_run(const satkd_engine_model *model, void *context, size_t context_bytes, const void *image, int8_t *out) {
  if ((image == NULL) || (out == NULL)) {
    return SATKD_NULL_POINTER;
  }
  int status = satkd_engine_begin(model, context, context_bytes);
  if (status == SATKD_OK) {
    /* Not copied: before satkd_engine_push_row reads a row, it checks these words. */
    for (uint32_t row = 0; (row < model->input.height) && (status == SATKD_OK); ++row) {
      status = satkd_engine_push_row(model, context, &((const uint8_t *)image)[row * model->input_codes]);
    }
  }
  return (status == SATKD_OK) ? satkd_engine_finish(model, context, out) : status;
}
