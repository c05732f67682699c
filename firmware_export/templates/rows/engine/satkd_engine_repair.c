/* CRC-32, scrubbing and repair: see satkd_engine.h. */
#include "satkd_engine_checks.h"

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

/* After so many bytes the watchdog is fed. */
#define SATKD_CRC_PIECE_BYTES 4096u

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
  crc = ~crc;
  while ((position - start) < bytes) {
    const uint32_t left = bytes - (position - start);
    const uint32_t piece = (left < SATKD_CRC_PIECE_BYTES) ? left : SATKD_CRC_PIECE_BYTES;
    satkd_engine_feed_watchdog();
    crc = satkd_crc32(satkd_engine_constant(model, position), piece, crc);
    position += piece;
  }
  return crc;
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

#ifdef SATKD_WRITE_WORD
void SATKD_WRITE_WORD(const void *address, uint32_t word);
#endif

static void satkd_engine_write_word(const uint8_t *address, uint32_t word) {
#ifdef SATKD_WRITE_WORD
  SATKD_WRITE_WORD(address, word);
#else
  (void)address;
  (void)word;
#endif
}

/* What was written, to take it back: two flips in one block may look like a third one. */
#define SATKD_MOST_REPAIRS 8u

typedef struct satkd_repairs {
  uint32_t count;
  uint32_t offsets[SATKD_MOST_REPAIRS];
  uint32_t words[SATKD_MOST_REPAIRS]; /* as they were */
} satkd_repairs;

/* Words of a model that have a check: as of satkd_engine_sum. */
typedef struct satkd_block {
  satkd_engine_span numbers;
  satkd_engine_span codes;
  satkd_engine_span border;
  uint32_t check; /* offset */
} satkd_block;

static satkd_block satkd_block_of(satkd_engine_span numbers, satkd_engine_span codes, satkd_engine_span border,
                                  uint32_t check) {
  satkd_block block;
  block.numbers = numbers;
  block.codes = codes;
  block.border = border;
  block.check = check;
  return block;
}

static satkd_block satkd_block_of_words(uint32_t start, uint32_t bytes, uint32_t check) {
  const satkd_engine_span none = {0, 0};
  const satkd_engine_span words = {start, bytes / 4u};
  return satkd_block_of(words, none, none, check);
}

/* A block may not lie outside the model, even if it is described wrongly. */
static bool satkd_is_inside(const satkd_block *block, uint32_t bytes) {
  return satkd_engine_is_inside(block->numbers.start, block->numbers.words, bytes) &&
         satkd_engine_is_inside(block->codes.start, block->codes.words, bytes) &&
         satkd_engine_is_inside(block->border.start, block->border.words, bytes);
}

/* How much the sum of a block is too large, modulo 2^64. */
static uint64_t satkd_excess(const satkd_engine_model *model, const satkd_block *block) {
  const satkd_engine_check *check = (const satkd_engine_check *)(const void *)satkd_engine_constant(model, block->check);
  const uint64_t expected = ((uint64_t)check->high << 32u) | check->low;
  return satkd_engine_sum(model, block->numbers, block->codes, block->border) - expected;
}

/* The word with this number in a block: its offset, and whether it consists of bytes. */
typedef struct satkd_word {
  uint32_t offset;
  bool has_bytes;
  bool is_found;
} satkd_word;

static satkd_word satkd_find_word(const satkd_block *block, uint64_t number) {
  satkd_engine_span span = block->numbers;
  uint64_t left = number;
  satkd_word word = {0, false, false};
  if (left >= span.words) {
    left -= span.words;
    span = block->codes;
    word.has_bytes = true;
  }
  if (word.has_bytes && (left >= span.words)) {
    left -= span.words;
    span = block->border;
  }
  if (left < span.words) {
    word.offset = span.start + (4u * (uint32_t)left);
    word.is_found = true;
  }
  return word;
}

/* Undoes the flip that explains the excess: 2^bit times the word's factor, added or subtracted. Factors are odd. */
static void satkd_undo_flip(const satkd_engine_model *model, const satkd_block *block, uint64_t excess,
                            satkd_repairs *repairs) {
  const bool is_too_large = (excess >> 63u) == 0u;
  const uint64_t size = is_too_large ? excess : (~excess + 1u);
  uint32_t bit = 0;
  while ((bit < 63u) && (((size >> bit) & 1u) == 0u)) {
    ++bit;
  }
  const uint64_t factor = size >> bit;
  satkd_word word = {block->check + (4u * (bit / 32u)), false, factor == 1u}; /* the check itself has lost a bit */
  if (factor >= SATKD_ENGINE_FIRST_FACTOR) {
    word = satkd_find_word(block, (factor - SATKD_ENGINE_FIRST_FACTOR) / 2u);
    word.is_found = word.is_found && (bit < 32u);
  }
  if (word.is_found && (repairs->count < SATKD_MOST_REPAIRS)) {
    const uint8_t *address = satkd_engine_constant(model, word.offset);
    const uint32_t found = *(const volatile uint32_t *)(const void *)address;
    uint32_t mask = (uint32_t)1 << (bit % 32u);
    if (word.has_bytes && satkd_engine_is_big_endian()) {
      mask = satkd_engine_with_other_byte_order(mask);
    }
    /* The sum is too large if a bit that was 0 is 1 now; in the check itself, the other way round. */
    const bool is_set = (found & mask) != 0u;
    const bool must_be_set = (factor == 1u) ? !is_too_large : is_too_large;
    if ((is_set && must_be_set) || (!is_set && !must_be_set)) {
      repairs->offsets[repairs->count] = word.offset;
      repairs->words[repairs->count] = found;
      repairs->count += 1u;
      satkd_engine_write_word(address, found ^ mask);
    }
  }
}

static bool satkd_repair_block(const satkd_engine_model *model, const satkd_block *block, uint32_t bytes,
                               satkd_repairs *repairs) {
  bool is_right = satkd_is_inside(block, bytes);
  if (is_right && (satkd_excess(model, block) != 0u)) {
    satkd_undo_flip(model, block, satkd_excess(model, block), repairs);
    is_right = satkd_excess(model, block) == 0u;
  }
  return is_right;
}

/* The layers' words, then what they describe. */
static bool satkd_repair_layers(const satkd_engine_call *call, uint32_t bytes, satkd_repairs *repairs) {
  const satkd_engine_model *model = call->model;
  const uint32_t layer_bytes = (uint32_t)sizeof(satkd_engine_layer);
  const uint32_t checked_bytes = layer_bytes - (uint32_t)sizeof(satkd_engine_check);
  bool is_right = call->head.layers <= (bytes / layer_bytes);
  for (uint32_t i = 0; is_right && (i < call->head.layers); ++i) {
    const satkd_engine_layer *layer = &satkd_engine_layers(model)[i];
    const uint32_t start = (uint32_t)sizeof(*model) + (i * layer_bytes);
    const satkd_block words = satkd_block_of_words(start, checked_bytes, start + checked_bytes);
    satkd_engine_feed_watchdog();
    is_right = satkd_repair_block(model, &words, bytes, repairs);
    if (is_right) {
      const satkd_block constants = satkd_block_of(layer->numbers, layer->codes, layer->border,
                                                   start + (uint32_t)offsetof(satkd_engine_layer, constants_check));
      is_right = satkd_repair_block(model, &constants, bytes, repairs);
    }
  }
  return is_right;
}

static bool satkd_repair_blocks(const satkd_engine_model *model, uint32_t bytes, satkd_repairs *repairs) {
  const uint32_t checked_bytes = (uint32_t)offsetof(satkd_engine_model, check);
  const satkd_block head = satkd_block_of_words(0, checked_bytes, checked_bytes);
  satkd_engine_call call;
  bool is_right = satkd_repair_block(model, &head, bytes, repairs) && satkd_engine_open_model(&call, model) &&
                  satkd_repair_layers(&call, bytes, repairs);
  if (is_right) {
    const uint32_t layers_end = (uint32_t)sizeof(*model) + (call.head.layers * (uint32_t)sizeof(satkd_engine_layer));
    const satkd_block fills = satkd_block_of_words(layers_end, call.head.fills * (uint32_t)sizeof(satkd_engine_fill),
                                                   (uint32_t)offsetof(satkd_engine_model, fills_check));
    const satkd_engine_span none = {0, 0};
    const satkd_block schedule = satkd_block_of(none, satkd_engine_schedule(&call), none,
                                                (uint32_t)offsetof(satkd_engine_model, schedule_check));
    is_right = satkd_repair_block(model, &fills, bytes, repairs) && satkd_repair_block(model, &schedule, bytes, repairs);
  }
  return is_right;
}

int satkd_engine_repair(const satkd_engine_model *model, uint32_t words_bytes, uint32_t bytes, uint32_t crc) {
  int status = SATKD_CORRUPT;
  satkd_repairs repairs;
  repairs.count = 0;
  if (model == NULL) {
    return SATKD_NULL_POINTER;
  }
  if (satkd_repair_blocks(model, bytes, &repairs)) {
    status = satkd_engine_verify(model, words_bytes, bytes, crc);
  }
  for (uint32_t i = 0; (status != SATKD_OK) && (i < repairs.count); ++i) {
    satkd_engine_write_word(satkd_engine_constant(model, repairs.offsets[i]), repairs.words[i]);
  }
  return status;
}

int satkd_engine_run_with_repair(const satkd_engine_model *model, void *context, size_t context_bytes, const void *image,
                                 int8_t *out, uint32_t words_bytes, uint32_t bytes, uint32_t crc) {
  int status = satkd_engine_run(model, context, context_bytes, image, out);
  for (uint32_t run = 1; run < SATKD_ENGINE_RUNS; ++run) {
    bool is_to_run = status == SATKD_UPSET;
    if (status == SATKD_CORRUPT) {
      is_to_run = satkd_engine_repair(model, words_bytes, bytes, crc) == SATKD_OK;
    }
    if (is_to_run) {
      status = satkd_engine_run(model, context, context_bytes, image, out);
    }
  }
  return status;
}
