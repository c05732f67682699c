/* Flips bits in what the engine works with, one at a time, and prints what came of it: a line `NAME TOLD MASKED WRONG`.
   Told: a status other than SATKD_OK. Masked: SATKD_OK and the right outputs. Wrong: SATKD_OK and other outputs.
   Writes outside the context are found by the address sanitizer, or by guards where there is none. */
#include "satkd_engine.c"
#include "satkd_model.h"

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
static uint32_t state = 1, told, masked, wrong;

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
  print("", wrong);
  write_text("\n");
  told = masked = wrong = 0;
}

/* From the rows that are done to the end. */
static void go_on(int row) {
  int8_t out[SATKD_OUTPUTS];
  int status = SATKD_OK, is_same = 1;
  for (; row < SATKD_ROWS && status == SATKD_OK; ++row) status = satkd_engine_push_row(model, context, image[row]);
  if (status == SATKD_OK) status = satkd_engine_finish(model, context, out);
  for (int i = 0; i < SATKD_OUTPUTS && status == SATKD_OK; ++i) is_same = is_same && out[i] == expected[i];
  if (status != SATKD_OK) ++told;
  else if (is_same) ++masked;
  else ++wrong;
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
  begin(0);
  for (int row = 0; row < SATKD_ROWS; ++row) {
    int status = satkd_engine_take(model, context, image[row]);
    while (status == SATKD_OK) {
      copy(kept, context, CONTROL);
      for (uint32_t bit = 8 * 4; bit < control_bits(); ++bit) {
        flip(context, bit);
        if (satkd_engine_step(model, context) == SATKD_UPSET) ++told;
        else ++wrong;
        copy(context, kept, CONTROL);
      }
      status = satkd_engine_step(model, context);
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

/* Random bits of weights and tables, or of the whole context: wrong outputs are possible, accesses outside are not. */
static void flip_data(void) {
  const uint32_t first = (uint32_t)(sizeof(*model) + model->layers * sizeof(satkd_engine_layer));
  for (int trial = 0; trial < TRIALS; ++trial) {
    const uint32_t bit = 8u * first + draw(8u * (SATKD_CONSTANTS_BYTES - first));
    begin(0);
    flip(constants, bit);
    go_on(0);
    flip(constants, bit);
  }
  check_guards();
  write_text("data");
  report("");
  for (int trial = 0; trial < TRIALS; ++trial) {
    const int row = (int)draw(SATKD_ROWS + 1);
    begin(row);
    flip(context, 8u * CONTROL + draw(8u * (SATKD_CONTEXT_BYTES - CONTROL)));
    go_on(row);
  }
  check_guards();
  write_text("activations");
  report("");
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
  for (int i = 0; i < SATKD_ROWS * SATKD_ROW_BYTES; ++i) image[i / SATKD_ROW_BYTES][i % SATKD_ROW_BYTES] = (uint8_t)draw(256);
  satkd_engine_run(model, context, SATKD_CONTEXT_BYTES, image, expected);
  flip_control_between_rows();
  flip_control_between_steps();
  flip_description_before();
  if (TRIALS > 0) {
    flip_description_during();
    flip_data();
  }
#ifndef ON_HOST
  told = (uint32_t)guards_damaged;
  report("guards");
#endif
  return 0;
}
