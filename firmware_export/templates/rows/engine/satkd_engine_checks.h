/* Checks of a model and of a context, for satkd_engine.c and satkd_engine_repair.c. */
#ifndef SATKD_ENGINE_CHECKS_H
#define SATKD_ENGINE_CHECKS_H

#include <stdbool.h>

#include "satkd_engine_kernels.h"

/* The watchdog: if this macro is the name of a function without arguments, the engine calls it before every step of a layer,
   for every layer that it checks, and every 4,096 bytes of a CRC. A name and no pointer, because a pointer in RAM may be upset. */
#ifdef SATKD_WATCHDOG
void SATKD_WATCHDOG(void);
#endif

static inline void satkd_engine_feed_watchdog(void) {
#ifdef SATKD_WATCHDOG
  SATKD_WATCHDOG();
#endif
}

/* The number by which the first word of a sum is multiplied. 1 is that of the sum's own bits. */
#define SATKD_ENGINE_FIRST_FACTOR 3u

static inline const satkd_engine_layer *satkd_engine_layers(const satkd_engine_model *model) {
  return (const satkd_engine_layer *)(const void *)satkd_engine_constant(model, (uint32_t)sizeof(*model));
}

/* A model during a call: its address, and a copy of its first words. The copy is checked and then used, so a bit that flips in the
   model meanwhile changes no offset. */
typedef struct satkd_engine_call {
  const satkd_engine_model *model;
  satkd_engine_model head;
} satkd_engine_call;

static inline const satkd_engine_fill *satkd_engine_fills(const satkd_engine_call *call) {
  return (const satkd_engine_fill *)(const void *)&satkd_engine_layers(call->model)[call->head.layers];
}

/* The schedule as words. */
static inline satkd_engine_span satkd_engine_schedule(const satkd_engine_call *call) {
  satkd_engine_span span;
  span.start = call->head.schedule;
  span.words = ((call->head.schedule_steps * call->head.schedule_bytes) + 3u) / 4u;
  return span;
}

/* Whether words from an offset on are within the first `bytes` bytes. */
static inline bool satkd_engine_is_inside(uint32_t start, uint32_t words, uint32_t bytes) {
  return ((start % 4u) == 0u) && (start <= bytes) && (words <= ((bytes - start) / 4u));
}

/* Of constants: `numbers` as they are, `codes` and `border` with the low byte first. */
uint64_t satkd_engine_sum(const satkd_engine_model *model, satkd_engine_span numbers, satkd_engine_span codes,
                          satkd_engine_span border);

/* Whether the processor has the high byte of a word first. */
bool satkd_engine_is_big_endian(void);
uint32_t satkd_engine_with_other_byte_order(uint32_t word);

/* Begins a call: copies the first words of a model, and returns whether the copied words are those of their check. */
bool satkd_engine_open_model(satkd_engine_call *call, const satkd_engine_model *model);

/* The same for a layer; its check is not copied. */
bool satkd_engine_copy_layer(satkd_engine_layer *copy, const satkd_engine_layer *layer);

/* The model but for its weights and tables. */
bool satkd_engine_is_intact(const satkd_engine_call *call);

/* What follows does nothing, successfully, for a model without these checks. */

/* The weights and tables of a layer. */
bool satkd_engine_are_constants_intact(const satkd_engine_model *model, const satkd_engine_layer *layer);

/* One slot of rows: computes its check, or compares. */
void satkd_engine_seal_slot(void *context, const satkd_engine_rows *rows, uint32_t row);
bool satkd_engine_is_slot_intact(void *context, const satkd_engine_rows *rows, uint32_t row);

/* All slots. */
void satkd_engine_seal_ring(void *context, const satkd_engine_rows *rows);
bool satkd_engine_is_ring_intact(void *context, const satkd_engine_rows *rows);

/* The sums of a layer. */
void satkd_engine_seal_sums(void *context, const satkd_engine_layer *layer);

/* All rows and sums. Returns whether every layer is intact. */
bool satkd_engine_seal_all(const satkd_engine_call *call, void *context);

/* Before a step, what it writes over; and after it, what it has written. Every flip of a row is found: whatever a layer has read
   stays in its slot until it is written over, or to the end. Constants are checked before a layer's first step and after its
   last. Both return SATKD_OK, SATKD_UPSET or SATKD_CORRUPT. */
int satkd_engine_open_step(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer, uint32_t step);
int satkd_engine_close_step(const satkd_engine_model *model, void *context, const satkd_engine_layer *layer, uint32_t step);

#endif /* SATKD_ENGINE_CHECKS_H */
