{% include "rows/provenance.txt" %}

/* {{ summary }}

   The whole network in SATKD_CONTEXT_BYTES of RAM: rows lie in rings, and each layer works as soon as it can.
   Integers only, no heap, no recursion, nothing written outside the context. One task at a time may work on a context;
   several contexts are independent of one another.

     static satkd_context context;
     int8_t outputs[SATKD_OUTPUTS];
     int status = satkd_begin(&context);
     for (int row = 0; row < SATKD_ROWS && status == SATKD_OK; ++row) {
       ReadRowFromCamera(pixels);
       status = satkd_push_row(&context, pixels);
     }
     if (status == SATKD_OK) status = satkd_finish(&context, outputs);
*/

#ifndef SATKD_MODEL_H
#define SATKD_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SATKD_ROWS {{ rows }}
#define SATKD_ROW_BYTES {{ row_bytes }} /* {{ width }} x {{ channels }} */
#define SATKD_OUTPUTS {{ outputs }}

/* The core's own kernels, by the compiler's macros, and what they work in. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(__clang__) /* clang keeps r7 to itself */
#define SATKD_KERNELS 2 /* Helium: Cortex-M55, M85 */
#define SATKD_SCRATCH_BYTES {{ scratch_bytes.mve }}
#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED) && __ARM_ARCH_PROFILE == 'M' && \
    !defined(__ARM_BIG_ENDIAN)
#define SATKD_KERNELS 1 /* the DSP extension: Cortex-M4, M7, M33 */
#define SATKD_SCRATCH_BYTES {{ scratch_bytes.dsp }}
#else
#define SATKD_KERNELS 0 /* C99 */
#define SATKD_SCRATCH_BYTES {{ scratch_bytes.portable }}
#endif

#define SATKD_CONTEXT_BYTES ({{ context_bytes }} + SATKD_SCRATCH_BYTES)

/* What every function returns. The values are fixed, so that telemetry can carry them. */
enum {
  SATKD_OK = 0,
  SATKD_NULL_POINTER = 1,  /* an argument is null */
  SATKD_NOT_BEGUN = 2,     /* satkd_begin has not been called, or not since the last satkd_finish */
  SATKD_TOO_MANY_ROWS = 3, /* more than SATKD_ROWS */
  SATKD_TOO_FEW_ROWS = 4,  /* satkd_finish before SATKD_ROWS rows */
  SATKD_CORRUPT = 5,       /* satkd_constants is not what was exported */
  SATKD_IN_PROGRESS = 6,   /* no error: satkd_scrub_step has not seen all of it yet */
  SATKD_WRONG_ANSWER = 7   /* satkd_self_test: other outputs than on the host */
};

/* All state. Its members are nobody's but satkd_model.c's. */
typedef struct satkd_context {
  uint32_t begun;
  uint32_t position; /* in the schedule */
#if SATKD_SCRATCH_BYTES > 0
  int32_t scratch[SATKD_SCRATCH_BYTES / 4];
#endif
{% for line in members %}
  {{ line }}
{% endfor %}
} satkd_context;

/* Begins an image; what was begun before is forgotten. */
int satkd_begin(satkd_context *context);

{% if has_pixels %}
/* Takes the next row, from the top: SATKD_ROW_BYTES bytes, pixels as the camera gives them. */
int satkd_push_row(satkd_context *context, const uint8_t *row);
{% else %}
/* Takes the next row, from the top: SATKD_ROW_BYTES codes, round(value / {{ input_scale }}) + ({{ input_zero_point }}).
   The model's input is not pixel / 255, so the codes are the firmware's to make. */
int satkd_push_row(satkd_context *context, const int8_t *row);
{% endif %}

/* Gives the SATKD_OUTPUTS outputs; real value = {{ output_scale }} * (code - ({{ output_zero_point }})). */
int satkd_finish(satkd_context *context, int8_t *out);

/* All of the above for an image of SATKD_ROWS rows. */
int satkd_run(satkd_context *context, const {{ input_type }} *image, int8_t *out);

/* Are weights, tables and schedule in memory still those that were exported? Radiation, worn flash or a torn update may
   have changed them. Where the part has a data cache, invalidate it first: it may still hold what memory has lost. */

#define SATKD_CONSTANTS_BYTES {{ constants_bytes }}
#define SATKD_CONSTANTS_CRC32 {{ "0x%08x" | format(crc32) }}u /* zlib's, of the bytes as they lie in a little-endian part */

/* Checks all of them: SATKD_OK or SATKD_CORRUPT. Where that takes longer than the watchdog allows, scrub. */
int satkd_verify(void);

/* How far a round has come; all zero at first. */
typedef struct satkd_scrubber {
  uint32_t position;
  uint32_t crc;
} satkd_scrubber;

/* Reads the next `bytes` bytes, fewer at the end: SATKD_IN_PROGRESS, and at the end SATKD_OK or SATKD_CORRUPT; the call
   after that starts over. One SATKD_CORRUPT may be an upset of the scrubber or of a register: it is the constants' if
   the next round, or satkd_verify, says so too. */
int satkd_scrub_step(satkd_scrubber *scrubber, uint32_t bytes);

/* Where they lie, SATKD_CONSTANTS_BYTES of them: to keep two copies elsewhere, taken after a good satkd_verify, and to
   mend the original. */
const void *satkd_constants_start(void);

/* Gives three copies of the same bytes the majority of each bit, and returns how many bytes were corrected, counted in
   each copy. Wrong only where two copies lost the same bit: compare satkd_crc32 of one with SATKD_CONSTANTS_CRC32, or
   call satkd_verify, afterwards.
     a, b, c: writable memory of `length` bytes each, not overlapping; only bytes that change are written. For copies in
     flash, call it a page at a time on three buffers in RAM, and have the flash driver program the pages that changed.
   No image may be in work meanwhile: layers read the constants where they lie. */
uint32_t satkd_repair_by_majority(uint8_t *a, uint8_t *b, uint8_t *c, uint32_t length);

/* zlib's CRC-32 (polynomial 0xedb88320, reflected), a nibble at a time from a table of 64 bytes.
     data: may be null if length is 0.
     seed: 0, or the CRC-32 of what comes before. */
uint32_t satkd_crc32(const void *data, size_t length, uint32_t seed);

#ifdef __cplusplus
}
#endif

#endif /* SATKD_MODEL_H */
