/* Flips bits in what the engine works with, one at a time, and prints what came of it: a line
   `NAME TOLD MASKED DIFFERENT WRONG`. Told: a status other than SATKD_OK. Masked: SATKD_OK and the right outputs. Different:
   SATKD_OK and other outputs with the same class. Wrong: SATKD_OK and another class.
   Writes outside the context are found by the address sanitizer, or by guards where there is none.

   WORDS_BYTES: bytes of the model that are words. TRIALS: the number of random flips. REPAIR_STRIDE: at most, of repairs.
   STRIDE: of flips of layers and schedule. IMAGE: optionally, a header that defines
   `static const uint8_t given_image[]`. ONLY_DATA: only flips of constants and rows, without
   repair (0) or with it (1). */
#include "satkd_engine_kernels.h"
static int compute_and_flip(const satkd_engine_model *of, void *in, const satkd_engine_layer *layer, uint32_t step);
#define satkd_engine_compute compute_and_flip
#include "satkd_engine.c"
#undef satkd_engine_compute
#include "satkd_model.h"
#ifdef IMAGE
#include IMAGE
#endif
#ifndef SEED
#define SEED 1
#endif

#ifdef ON_HOST
#include <stdio.h>
#include <stdlib.h>
static void write_text(const char *text) { fputs(text, stdout); }
static void *allocate(size_t bytes) { return malloc(bytes); }
static void check_guards(void) {}
#else
void write_text(const char *text);
enum { GUARD = 4096, ARENA = 1 << 21 };
static uint32_t arena[ARENA / 4];
static size_t used;
static uint8_t *starts[8];
static size_t sizes[8];
static int allocated;
static void *allocate(size_t bytes) {
  uint8_t *start = (uint8_t *)arena + used + GUARD;
  used += GUARD + (bytes + 3) / 4 * 4;
  for (size_t i = 0; i < GUARD; ++i) start[i - GUARD] = start[bytes + i] = 0x5a;
  starts[allocated] = start;
  sizes[allocated++] = bytes;
  return start;
}
static int guards_damaged;
static void check_guards(void) {
  for (int i = 0; i < allocated; ++i) {
    for (size_t j = 0; j < GUARD; ++j) {
      guards_damaged += starts[i][j - GUARD] != 0x5a && (i == 0 || starts[i] - GUARD >= starts[i - 1] + sizes[i - 1]);
    }
  }
  const uint8_t *end = (const uint8_t *)arena + used;
  for (size_t j = 0; j < GUARD; ++j) guards_damaged += end[j] != 0x5a;
}
#endif

enum { STEPS_BYTES = sizeof(((satkd_context *)0)->steps), CONTROL = 8 + STEPS_BYTES };

static uint8_t image[SATKD_ROWS][SATKD_ROW_BYTES];
static int8_t expected[SATKD_OUTPUTS];
static uint8_t *context, *kept, *constants;
static const satkd_engine_model *model;
static uint32_t state = SEED, told, masked, different, wrong;
static int class_expected;

static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % below;
}

static void copy(uint8_t *to, const uint8_t *from, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to[i] = from[i];
}

static void flip(uint8_t *bytes, uint32_t bit) { bytes[bit / 8u] = (uint8_t)(bytes[bit / 8u] ^ (1u << (bit % 8u))); }

static void print(const char *name, uint32_t value) {
  char digits[12];
  char *to = digits + sizeof digits - 1;
  *to = 0;
  do *--to = (char)('0' + value % 10u);
  while ((value /= 10u) != 0);
  write_text(name);
  write_text(" ");
  write_text(to);
}

static void report(const char *name) {
  print(name, told);
  print("", masked);
  print("", different);
  print("", wrong);
  write_text("\n");
  told = masked = different = wrong = 0;
}

static int class_of(const int8_t *out) {
  int best = 0;
  for (int i = 1; i < SATKD_OUTPUTS; ++i) best = out[i] > out[best] ? i : best;
  return best;
}

static void judge(int status, const int8_t *out) {
  int is_same = 1;
  for (int i = 0; i < SATKD_OUTPUTS && status == SATKD_OK; ++i) is_same = is_same && out[i] == expected[i];
  if (status != SATKD_OK) ++told;
  else if (is_same) ++masked;
  else if (class_of(out) == class_expected) ++different;
  else ++wrong;
}

/* From the rows that are done to the end. */
static void go_on(int row) {
  int8_t out[SATKD_OUTPUTS];
  int status = SATKD_OK;
  for (; row < SATKD_ROWS && status == SATKD_OK; ++row) status = satkd_engine_push_row(model, context, image[row]);
  if (status == SATKD_OK) status = satkd_engine_finish(model, context, out);
  judge(status, out);
}

static void begin(int rows) {
  satkd_engine_begin(model, context, SATKD_CONTEXT_BYTES);
  for (int row = 0; row < rows; ++row) satkd_engine_push_row(model, context, image[row]);
}

/* Of begun, position and steps, without the padding behind them. */
static uint32_t control_bits(void) { return 8u * (8u + 2u * (model->layers + 1u)); }

/* Every bit of begun, position and steps, before every row and before the end. */
static void flip_control_between_rows(void) {
  begin(0);
  for (int row = 0; row <= SATKD_ROWS; ++row) {
    copy(kept, context, SATKD_CONTEXT_BYTES);
    for (uint32_t bit = 0; bit < control_bits(); ++bit) {
      flip(context, bit);
      go_on(row);
      copy(context, kept, SATKD_CONTEXT_BYTES);
    }
    check_guards();
    if (row < SATKD_ROWS) satkd_engine_push_row(model, context, image[row]);
  }
  report("control between rows");
}

/* Every bit of position and steps, before every step of a layer. The step must be refused before it writes anything. */
static void flip_control_between_steps(void) {
  satkd_engine_call call;
  (void)satkd_engine_open_model(&call, model);
  begin(0);
  for (int row = 0; row < SATKD_ROWS; ++row) {
    int status = satkd_engine_take(&call, context, image[row]);
    while (status == SATKD_OK) {
      copy(kept, context, CONTROL);
      for (uint32_t bit = 8 * 4; bit < control_bits(); ++bit) {
        flip(context, bit);
        if (satkd_engine_step(&call, context) == SATKD_UPSET) ++told;
        else ++wrong;
        copy(context, kept, CONTROL);
      }
      status = satkd_engine_step(&call, context);
    }
  }
  go_on(SATKD_ROWS);
  --masked;
  report("control between steps");
}

static uint32_t schedule_bytes(void) { return model->schedule_steps * model->schedule_bytes; }


/* Every bit of layers and schedule before the image begins. */
static void flip_description_before(void) {
  const uint32_t schedule = model->schedule;
  const uint32_t words_bits =
      8u * (uint32_t)(sizeof(*model) + model->layers * sizeof(satkd_engine_layer) + model->fills * sizeof(satkd_engine_fill));
  const uint32_t bits = words_bits + 8u * schedule_bytes();
  for (uint32_t bit = 0; bit < bits; ++bit) {
    uint8_t *at = bit < words_bits ? constants : constants + schedule;
    const uint32_t number = bit < words_bits ? bit : bit - words_bits;
    flip(at, number);
    if (satkd_engine_begin(model, context, SATKD_CONTEXT_BYTES) == SATKD_CORRUPT) ++told;
    else ++wrong;
    flip(at, number);
  }
  report("description before the image");
}

/* Bits of layers and schedule while an image is in progress, which stay flipped. */
static void flip_description_during(void) {
  const uint32_t schedule = model->schedule;
  const uint32_t words_bits =
      8u * (uint32_t)(sizeof(*model) + model->layers * sizeof(satkd_engine_layer) + model->fills * sizeof(satkd_engine_fill));
  const uint32_t bits = words_bits + 8u * schedule_bytes();
  begin(0);
  for (int row = 0; row <= SATKD_ROWS; ++row) {
    copy(kept, context, SATKD_CONTEXT_BYTES);
    for (uint32_t bit = draw(STRIDE); bit < bits; bit += STRIDE) {
      uint8_t *at = bit < words_bits ? constants : constants + schedule;
      const uint32_t number = bit < words_bits ? bit : bit - words_bits;
      flip(at, number);
      go_on(row);
      flip(at, number);
      copy(context, kept, SATKD_CONTEXT_BYTES);
    }
    check_guards();
    if (row < SATKD_ROWS) satkd_engine_push_row(model, context, image[row]);
  }
  report("description during the image");
}

/* ---- Flips at a moment of a run ---- */

static uint32_t fed; /* calls of the watchdog: for every layer when an image begins, then before every step */
static uint32_t fed_until; /* the call with the flip; 0: no flip */
static uint32_t steps_left; /* until the step with the flip; 0: no flip */
static uint8_t *where;
static uint32_t which;

void feed_watchdog(void);
void feed_watchdog(void) {
  ++fed;
  if (fed == fed_until) flip(where, which);
}

void write_word(const void *address, uint32_t word);
void write_word(const void *address, uint32_t word) {
  copy(constants + ((const uint8_t *)address - constants), (const uint8_t *)&word, 4);
}

/* With a flip before or after the computation. */
static int compute_and_flip(const satkd_engine_model *of, void *in, const satkd_engine_layer *layer, uint32_t step) {
  const int is_now = steps_left == 1;
  const int is_after = is_now && draw(2) == 1;
  if (steps_left > 0) --steps_left;
  if (is_now && !is_after) flip(where, which);
  const int status = satkd_engine_compute(of, in, layer, step);
  if (is_after) flip(where, which);
  return status;
}

static uint64_t work_of(const satkd_engine_layer *layer) {
  const int32_t codes = layer->width_out * layer->channels_out;
  return (uint64_t)(codes * (layer->weights == 0 ? 8 : layer->kernel_height * layer->kernel_width * layer->channels_in));
}

/* A step of a layer, from 1; long ones are drawn more often. */
static uint32_t draw_step(void) {
  uint64_t all = 0, sum = 0;
  uint32_t steps = 0;
  satkd_engine_call call;
  (void)satkd_engine_open_model(&call, model);
  for (uint32_t i = 0; i < model->layers; ++i) all += satkd_engine_layers(model)[i].steps * work_of(&satkd_engine_layers(model)[i]);
  const uint64_t drawn = (((uint64_t)draw(UINT32_MAX) << 16) ^ draw(UINT32_MAX)) % all;
  for (uint32_t i = 0; i < model->schedule_steps && sum <= drawn; ++i) {
    const uint32_t entry = satkd_engine_entry(&call, i);
    if (entry != SATKD_ENGINE_ROW_OF_IMAGE) {
      sum += work_of(&satkd_engine_layers(model)[entry - 1u]);
      ++steps;
    }
  }
  return steps;
}

/* Flips a bit before the image (step 0), before a step, or inside it. `repairs`: as satkd_run does with --harden correct. */
static void run_with_flip(uint8_t *bytes, uint32_t bit, uint32_t step, int is_inside, int repairs) {
  int8_t out[SATKD_OUTPUTS];
  int status;
  where = bytes;
  which = bit;
  fed = 0;
  if (step == 0) flip(where, which);
  else if (is_inside) steps_left = step;
  else fed_until = model->layers + step;
  if (repairs) {
    status = satkd_engine_run_with_repair(model, context, SATKD_CONTEXT_BYTES, image, out, WORDS_BYTES, SATKD_CONSTANTS_BYTES,
                                          SATKD_CONSTANTS_CRC32);
  } else {
    status = satkd_engine_run(model, context, SATKD_CONTEXT_BYTES, image, out);
  }
  steps_left = fed_until = 0;
  judge(status, out);
}

/* Every bit of the model's first words, inside a step of a layer, which is inside a call. */
static void flip_first_words_during_a_call(void) {
  for (uint32_t bit = 0; bit < 8u * (uint32_t)sizeof(*model); ++bit) {
    run_with_flip(constants, bit, draw_step(), 1, 0);
    flip(constants, bit);
  }
  check_guards();
  report("first words during a call");
}

static void undamage(void) { copy(constants, satkd_constants_start(), SATKD_CONSTANTS_BYTES); }

/* Random bits of weights, tables and the row outside, before the image or during it, to its end. */
static void flip_constants(int repairs) {
  const uint32_t first =
      (uint32_t)(sizeof(*model) + model->layers * sizeof(satkd_engine_layer) + model->fills * sizeof(satkd_engine_fill));
  const uint32_t schedule = model->schedule; /* the last array */
  for (int trial = 0; trial < TRIALS; ++trial) {
    const uint32_t bit = 8u * first + draw(8u * (schedule - first));
    run_with_flip(constants, bit, trial % 2 == 0 ? 0 : draw_step(), 0, repairs);
    undamage();
  }
  check_guards();
  report(repairs ? "constants, repaired" : "constants");
}

/* Random bits of everything in the context but counters and the kernels' scratch memory. */
static void flip_rows(int is_inside, int repairs) {
  for (int trial = 0; trial < TRIALS; ++trial) {
    const uint32_t bit = 8u * CONTROL + draw(8u * (model->context_bytes - CONTROL));
    run_with_flip(context, bit, draw_step(), is_inside, repairs);
  }
  check_guards();
  write_text(is_inside ? "rows during a step" : "rows before a step");
  report(repairs ? ", repaired" : "");
}

/* Pairs of bits of the whole model: a repair may fail, but then it says so and changes nothing. */
static void repair_pairs(void) {
  for (int trial = 0; trial < TRIALS; ++trial) {
    /* Close together, so that both are often in one block. */
    const uint32_t first = draw(8u * SATKD_CONSTANTS_BYTES - 2000u);
    const uint32_t second = first + 1u + draw(1999);
    flip(constants, first);
    flip(constants, second);
    const int status = satkd_engine_repair(model, WORDS_BYTES, SATKD_CONSTANTS_BYTES, SATKD_CONSTANTS_CRC32);
    const uint8_t *original = (const uint8_t *)satkd_constants_start();
    int is_same = 1;
    if (status != SATKD_OK) { /* nothing has changed */
      flip(constants, first);
      flip(constants, second);
    }
    for (uint32_t i = 0; i < SATKD_CONSTANTS_BYTES; ++i) is_same = is_same && constants[i] == original[i];
    if (!is_same) ++wrong;
    else if (status != SATKD_OK) ++told;
    else ++masked;
    undamage();
  }
  check_guards();
  report("pairs of bits, repaired");
}

/* Single bits anywhere in the model. */
static void repair_bits(void) {
  for (uint32_t bit = 0; bit < 8u * SATKD_CONSTANTS_BYTES; bit += 1u + draw(REPAIR_STRIDE)) {
    flip(constants, bit);
    const int status = satkd_engine_repair(model, WORDS_BYTES, SATKD_CONSTANTS_BYTES, SATKD_CONSTANTS_CRC32);
    const uint8_t *original = (const uint8_t *)satkd_constants_start();
    if (status != SATKD_OK) ++told;
    else if (constants[bit / 8u] == original[bit / 8u]) ++masked;
    else ++wrong;
    undamage();
  }
  report("single bits, repaired");
}

static void flip_data(void) {
  flip_constants(0);
  flip_rows(0, 0);
  flip_rows(1, 0);
  flip_constants(1);
  flip_rows(0, 1);
  for (int trial = 0; trial < 20 * TRIALS; ++trial) { /* several bits, that counts may agree with */
    const int row = (int)draw(SATKD_ROWS + 1);
    if (trial % 20 == 0) {
      begin(row);
      copy(kept, context, SATKD_CONTEXT_BYTES);
    }
    copy(context, kept, SATKD_CONTEXT_BYTES);
    for (uint32_t bits = 1 + draw(4); bits > 0; --bits) flip(context, 8u * 4 + draw(8u * (CONTROL - 4)));
    go_on(row);
  }
  check_guards();
  report("several bits of control");
}

int main(void) {
  context = allocate(SATKD_CONTEXT_BYTES);
  kept = allocate(SATKD_CONTEXT_BYTES);
  constants = allocate(SATKD_CONSTANTS_BYTES);
  copy(constants, satkd_constants_start(), SATKD_CONSTANTS_BYTES);
  model = (const satkd_engine_model *)(const void *)constants;
  for (int i = 0; i < SATKD_ROWS * SATKD_ROW_BYTES; ++i) {
#ifdef IMAGE
    const uint8_t value = given_image[i];
#else
    const uint8_t value = (uint8_t)draw(256);
#endif
    image[i / SATKD_ROW_BYTES][i % SATKD_ROW_BYTES] = value;
  }
  fed = 0;
  satkd_engine_run(model, context, SATKD_CONTEXT_BYTES, image, expected);
  class_expected = class_of(expected);
  told = fed; /* once a step, and once a layer at the beginning and at the end */
  masked = model->schedule_steps - SATKD_ROWS + 2u * model->layers;
  report("watchdog");
#ifdef ONLY_DATA
  flip_constants(ONLY_DATA);
  flip_rows(0, ONLY_DATA);
  flip_rows(1, ONLY_DATA);
  return 0;
#endif
  flip_control_between_rows();
  flip_control_between_steps();
  flip_description_before();
  if (TRIALS > 0) {
    flip_description_during();
    flip_first_words_during_a_call();
    flip_data();
    repair_bits();
    repair_pairs();
  }
#ifndef ON_HOST
  told = (uint32_t)guards_damaged;
  report("guards");
#endif
  return 0;
}
