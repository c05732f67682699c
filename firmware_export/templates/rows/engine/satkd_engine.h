/* The row engine: runs int8 networks row by row, with the outputs of TensorFlow Lite Micro.

   This file and satkd_engine*.c/.h beside it are the same in every export. A model is a constant that the engine reads:
   satkd_model.c/.h. Several models share one engine. An application includes the headers of its models and calls their
   functions; those call the functions below.

   Integers only, no heap, no recursion, no static variables. Every index is checked before it is used: whatever bits flip in
   the context or in a model, nothing outside the context is written and nothing outside context and model is read.

   This header reads no compiler macros, so the application and the engine may be compiled with different options. */
#ifndef SATKD_ENGINE_H
#define SATKD_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SATKD_ENGINE_VERSION 5
/* SHA-256 of the engine's files, in the order of their names, without the next line. */
#define SATKD_ENGINE_SHA256 "31a9e5d52a89c46ff7c2848e24b89e917fd517831b265d6afa387619344543bf"

/* What the functions return. The values are fixed, so that telemetry can contain them. */
enum {
  SATKD_OK = 0,
  SATKD_NULL_POINTER = 1,  /* an argument is null */
  SATKD_NOT_BEGUN = 2,     /* no image was begun, or it was finished or stopped by SATKD_CORRUPT or SATKD_UPSET */
  SATKD_TOO_MANY_ROWS = 3, /* more rows than the image has */
  SATKD_TOO_FEW_ROWS = 4,  /* finished before the last row */
  SATKD_CORRUPT = 5,       /* the model differs from the exported one */
  SATKD_IN_PROGRESS = 6,   /* no error: a round of scrubbing is not complete */
  SATKD_WRONG_ANSWER = 7,  /* self-test: the outputs differ from those on the host */
  SATKD_WRONG_SIZE = 8,    /* the context has another size than the model and the kernels need */
  SATKD_UPSET = 9          /* a counter or, with --harden detect, a row in the context changed; begin the image again */
};

/* The first two words of a context. The steps done follow as uint16_t: rows of the image, then the steps of each layer. */
typedef struct satkd_engine_state {
  uint32_t begun;
  uint32_t position; /* in the schedule; always the sum of the steps done */
} satkd_engine_state;

/* The rows of a tensor in the context: row y is in slot y mod depth. */
typedef struct satkd_engine_rows {
  uint32_t start;     /* where the first row that is read begins, in bytes from the start of the context */
  uint32_t row_bytes; /* from one slot to the next, a multiple of 4 */
  uint32_t depth;     /* number of slots */
  uint32_t height;    /* number of rows of the tensor */
  uint32_t before;    /* padding between the start of a slot and the start of its row, in bytes */
  uint32_t checks;    /* offset in the context: satkd_engine_check [depth] of the slots; 0 without */
} satkd_engine_rows;

/* A 64-bit sum of words, each times a number of its own: 3 for the first, 5, 7, and so on. Any change of one word changes it,
   and so does any change of two bits, of words and sum; from a change of one bit it follows which bit that is. */
typedef struct satkd_engine_check {
  uint32_t low;
  uint32_t high;
} satkd_engine_check;

/* Constants of a model. */
typedef struct satkd_engine_span {
  uint32_t start; /* offset */
  uint32_t words;
} satkd_engine_span;

/* A factor as TensorFlow Lite stores it: multiplier / 2^31 * 2^shift. */
typedef struct satkd_engine_scale {
  int32_t multiplier;
  int32_t shift;
} satkd_engine_scale;

/* Where a row of outputs finds its codes: at `start` of a row of inputs, and so many bytes further for each step of the layer, each
   column and each channel of the output. */
typedef struct satkd_engine_path {
  int32_t start;
  int32_t row;
  int32_t column;
  int32_t channel;
} satkd_engine_path;

enum {
  SATKD_ENGINE_CONVOLUTION = 1, /* dense layers, too */
  SATKD_ENGINE_DEPTHWISE_CONVOLUTION = 2,
  SATKD_ENGINE_ADDITION = 3,
  SATKD_ENGINE_MAX_POOL = 4,
  SATKD_ENGINE_AVERAGE_POOL = 5,
  SATKD_ENGINE_AVERAGE_POOL_BY_ROW = 6, /* windows that do not overlap vertically: sums instead of rows are kept */
  SATKD_ENGINE_MEAN = 7,
  SATKD_ENGINE_LOOKUP = 8, /* a function of one code */
  SATKD_ENGINE_SOFTMAX = 9,
  SATKD_ENGINE_PAD = 10,
  SATKD_ENGINE_RESHAPE = 11,
  /* Of two operands. `other` has the rows of the second: if `table` is not 0, they are constants that begin there. `stride_width`
     is the number of codes from a pixel of the second operand to the next: 0 if there is one for all pixels, 1 if there is one code
     for all channels. */
  SATKD_ENGINE_MULTIPLICATION = 32,
  SATKD_ENGINE_SUBTRACTION = 33,
  SATKD_ENGINE_SUBTRACTION_FROM = 34, /* of the first input from the second */
  SATKD_ENGINE_BROADCAST_ADDITION = 35,
  SATKD_ENGINE_MAXIMUM = 36,
  SATKD_ENGINE_MINIMUM = 37,
  SATKD_ENGINE_PRELU = 38,
  /* Differences to the largest code of `lowest` and less give -128. */
  SATKD_ENGINE_LOG_SOFTMAX = 39,
  SATKD_ENGINE_REDUCTION = 64, /* means over other axes than rows and columns */
  SATKD_ENGINE_SELECTION = 65, /* some codes of the input, or all of them in another order */
  SATKD_ENGINE_CONCATENATION = 66,
  SATKD_ENGINE_RESIZING = 67, /* table: int32_t, the row of inputs of each row of outputs, then the column of each column */
  SATKD_ENGINE_TRANSPOSED_CONVOLUTION = 68
};

/* A layer. What its kind does not use is 0. Offsets count bytes, from the start of the model unless stated otherwise. */
typedef struct satkd_engine_layer {
  uint32_t kind;
  uint32_t steps; /* for one image */
  satkd_engine_rows in;
  satkd_engine_rows other; /* the second input */
  satkd_engine_rows out;
  int32_t width_in;
  int32_t channels_in;
  int32_t width_out;
  int32_t channels_out;
  int32_t kernel_height;
  int32_t kernel_width;
  int32_t stride_height;
  int32_t stride_width;
  int32_t dilation_height; /* from a tap of a kernel to the next, in rows */
  int32_t dilation_width;
  int32_t pad_top;
  int32_t pad_left;
  int32_t pad_front; /* channels before the first */
  int32_t pad_code;
  satkd_engine_path path; /* of a reduction or a selection */
  int32_t zero_point_in;
  int32_t zero_point_other;
  int32_t zero_point_out;
  int32_t lowest; /* output code */
  int32_t highest;
  satkd_engine_scale scale_in;
  satkd_engine_scale scale_other;
  satkd_engine_scale scale_out;
  uint32_t has_fast_sums;    /* not 0: any kernels may run it; SATKD_ENGINE_SOME_FAST_SUMS: but sums may be beyond +-2^30 */
  uint32_t has_right_shifts; /* not 0: every shift is from -31 to -1, see SATKD_ENGINE_SMALL_RIGHT_SHIFTS */
  uint32_t weights;       /* int8_t [out][height][width][in], depthwise [height][width][out] */
  uint32_t bias;          /* int32_t [out], with the input's zero point folded in, so that raw codes are multiplied */
  uint32_t multipliers;   /* int32_t [out] */
  uint32_t shifts;        /* int8_t [out] */
  uint32_t outside;       /* int8_t: a row of zero points, read above and below the image */
  uint32_t table;         /* lookup: int8_t [256], that of code -128 first; softmax: int32_t [256]; resizing: see there */
  uint32_t scratch;       /* offset in the context, of has_fast_sums */
  uint32_t result;        /* 1 + where its rows go among the model's outputs, in bytes; 0 if they are none */
  uint32_t sums;          /* int32_t in the context */
  uint32_t sums_words;    /* their number, if they have a check */
  uint32_t sums_check;    /* offset in the context: satkd_engine_check */
  satkd_engine_span numbers; /* what constants_check covers: int32_t arrays; all 0 without */
  satkd_engine_span codes;   /* then arrays of bytes, low byte first */
  satkd_engine_span border;  /* then the row outside, in the same way */
  satkd_engine_check constants_check;
  satkd_engine_check check; /* of the words above */
} satkd_engine_layer;

/* Words of the context that are set: rows with padding. */
typedef struct satkd_engine_fill {
  uint32_t start; /* offset, a multiple of 4 */
  uint32_t words; /* number */
  uint32_t layer; /* before the first step of which layer, from 1: its rows lie where others were; 0: when an image begins */
  int32_t codes;  /* four times the same code */
} satkd_engine_fill;

/* A model begins with this; satkd_engine_layer [layers] and satkd_engine_fill [fills] follow, then int32_t arrays, then
   arrays of bytes. It contains no pointers, so a copy of it is the same model. */
typedef struct satkd_engine_model {
  uint32_t version;          /* SATKD_ENGINE_VERSION */
  uint32_t context_bytes;    /* without scratch memory, which is the end of the context */
  uint32_t scratch_bytes[3]; /* for the kernels SATKD_ENGINE_PORTABLE, _DSP and _MVE */
  uint32_t layers;
  uint32_t fills;
  uint32_t schedule;       /* offset: SATKD_ENGINE_ROW_OF_IMAGE, or i for a step of the i-th layer, in order */
  uint32_t schedule_steps; /* length */
  uint32_t schedule_bytes; /* bytes of an entry: 1, or 2 with the low byte first */
  uint32_t has_pixels;     /* the input is uint8_t pixels; otherwise int8_t codes */
  satkd_engine_rows input;
  uint32_t input_codes; /* of a row */
  satkd_engine_check schedule_check; /* of the schedule's bytes, padded with zeros to words, low byte first */
  satkd_engine_check fills_check;
  satkd_engine_check check; /* of the words above */
} satkd_engine_model;

#define SATKD_ENGINE_ROW_OF_IMAGE 0u
#define SATKD_ENGINE_SOME_FAST_SUMS 2u
#define SATKD_ENGINE_SMALL_RIGHT_SHIFTS 2u /* every shift is from -22 to -1 */
#define SATKD_ENGINE_EQUAL_RIGHT_SHIFTS 3u /* and all channels have the same shift and multiplier */

/* Functions for satkd_model.c. `model` is the address of a model, `context` that of its context, aligned to 4 bytes. */

/* context_bytes: the size of the context as its owner knows it: at least what the model and the engine's kernels need, at
   most what the model needs with any kernels. Also checks everything in the model but its weights and tables. */
int satkd_engine_begin(const satkd_engine_model *model, void *context, size_t context_bytes);

/* row: uint8_t or int8_t [input_codes]. */
int satkd_engine_push_row(const satkd_engine_model *model, void *context, const void *row);

/* out: int8_t, all outputs of the model, one after the other. Checks the same as satkd_engine_begin again, and that every layer has taken all
   its steps. */
int satkd_engine_finish(const satkd_engine_model *model, void *context, int8_t *out);

/* All three, for an image in memory. */
int satkd_engine_run(const satkd_engine_model *model, void *context, size_t context_bytes, const void *image, int8_t *out);

/* The compiled kernels: SATKD_ENGINE_PORTABLE 0, SATKD_ENGINE_DSP 1 or SATKD_ENGINE_MVE 2. */
int satkd_engine_kernels(void);

/* The state of a round of scrubbing; all zero at first. */
typedef struct satkd_scrubber {
  uint32_t position;
  uint32_t crc;
} satkd_scrubber;

/* CRC-32 of a whole model. `words_bytes` bytes at its start are 32-bit words, of which the CRC takes the low byte first on
   every processor; both counts are multiples of 4. */
int satkd_engine_verify(const satkd_engine_model *model, uint32_t words_bytes, uint32_t bytes, uint32_t crc);

int satkd_engine_scrub_step(const satkd_engine_model *model, uint32_t words_bytes, uint32_t bytes, uint32_t crc,
                            satkd_scrubber *scrubber, uint32_t step_bytes);

/* Repairs every block of a model in which a single bit has flipped: the model's first words, each layer, the fills, the schedule
   and, of a model with --harden detect or correct, the constants of each layer. SATKD_OK if the model is the exported one then,
   SATKD_CORRUPT otherwise; what it has written it takes back then. It corrects 8 bits at most.

   It writes with a function of the application, whose name is given when the engine is compiled:
   -DSATKD_WRITE_WORD=write_word. The function stores `word` at `address`, a multiple of 4, in flash or in RAM:
     void write_word(const void *address, uint32_t word);
   Without it nothing is repaired. Do not call this while an image is in progress. */
int satkd_engine_repair(const satkd_engine_model *model, uint32_t words_bytes, uint32_t bytes, uint32_t crc);

/* satkd_engine_run, again after SATKD_UPSET, and again after SATKD_CORRUPT and satkd_engine_repair: SATKD_ENGINE_RUNS at most. */
int satkd_engine_run_with_repair(const satkd_engine_model *model, void *context, size_t context_bytes, const void *image,
                                 int8_t *out, uint32_t words_bytes, uint32_t bytes, uint32_t crc);

#define SATKD_ENGINE_RUNS 3u

/* Functions for applications. */

/* zlib's CRC-32 (polynomial 0xedb88320, reflected), with a table of 64 bytes.
     data: may be null if length is 0.
     seed: 0, or the CRC-32 of the data before. */
uint32_t satkd_crc32(const void *data, size_t length, uint32_t seed);

/* Sets each bit of three copies to the majority of the three, and returns how many bytes it corrected, counted in each
   copy. A bit stays wrong if two copies have lost it: verify the result.
     a, b, c: `length` bytes each in RAM, not overlapping; only bytes that change are written. For copies in flash, call it a
       page at a time on three buffers, and program the pages that changed.
   Do not call it on a model while an image is in progress. */
uint32_t satkd_repair_by_majority(uint8_t *a, uint8_t *b, uint8_t *c, uint32_t length);

#ifdef __cplusplus
}
#endif

#endif /* SATKD_ENGINE_H */
