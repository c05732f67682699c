{% include "rows/provenance.txt" %}

/* {{ summary }}
   Hardening: {{ harden }}.

   A model for satkd_engine.c: the application calls the functions below. One task at a time may use a context; several
   contexts are independent.

     static {{ prefix }}_context context;
     int8_t outputs[{{ macros }}_OUTPUTS];
     int status = {{ prefix }}_begin(&context, sizeof(context));
     for (int row = 0; (row < {{ macros }}_ROWS) && (status == SATKD_OK); ++row) {
       ReadRowFromCamera(pixels);
       status = {{ prefix }}_push_row(&context, pixels);
     }
     if (status == SATKD_OK) { status = {{ prefix }}_finish(&context, outputs); }
*/

#ifndef {{ macros }}_MODEL_H
#define {{ macros }}_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "satkd_engine.h" /* what the functions return: SATKD_OK or an error */

#ifdef __cplusplus
extern "C" {
#endif

#define {{ macros }}_ROWS {{ rows }}
#define {{ macros }}_ROW_BYTES {{ row_bytes }} /* {{ width }} x {{ channels }} */
#define {{ macros }}_OUTPUTS {{ outputs }}

/* The engine calls -DSATKD_WATCHDOG=... at least once in so many multiplications of codes by weights. */
#define {{ macros }}_STEP_MACS {{ step_macs }}

#define {{ macros }}_CONTEXT_BYTES {{ context_bytes + most_scratch_bytes }} /* for any kernels */
/* For certain kernels the end of the scratch memory may be left out: pass ({{ prefix }}_context *)memory and sizeof(memory) of
   static int32_t memory[{{ macros }}_CONTEXT_BYTES_MVE / 4]. */
#define {{ macros }}_CONTEXT_BYTES_PORTABLE {{ context_bytes + scratch_bytes.portable }}
#define {{ macros }}_CONTEXT_BYTES_DSP {{ context_bytes + scratch_bytes.dsp }} /* Cortex-M4, M7, M33 */
#define {{ macros }}_CONTEXT_BYTES_MVE {{ context_bytes + scratch_bytes.mve }} /* Cortex-M55, M85 */

/* All state. Only the engine uses its members. */
typedef struct {{ prefix }}_context {
  satkd_engine_state state;
{% for line in members %}
  {{ line }}
{% endfor %}
{% if most_scratch_bytes %}
  int32_t scratch[{{ most_scratch_bytes // 4 }}];
{% endif %}
} {{ prefix }}_context;

/* Begins an image; an image in progress is discarded.
     context_bytes: sizeof({{ prefix }}_context). SATKD_WRONG_SIZE if the engine needs another size: the application was
       compiled with the header of another model. */
int {{ prefix }}_begin({{ prefix }}_context *context, size_t context_bytes);

{% if has_pixels %}
/* Takes the next row, from the top: {{ macros }}_ROW_BYTES bytes, pixels as the camera gives them.
{%- if scaling_file %}
   {{ scaling_file }} makes them from the sensor's raw samples.
{%- endif %} */
int {{ prefix }}_push_row({{ prefix }}_context *context, const uint8_t *row);
{% else %}
/* Takes the next row, from the top: {{ macros }}_ROW_BYTES codes, round(value / {{ input_scale }}) + ({{ input_zero_point }}).
   The model's input is not pixel / 255, so the application must compute the codes. */
int {{ prefix }}_push_row({{ prefix }}_context *context, const int8_t *row);
{% endif %}

{% if results | length == 1 %}
/* Writes the {{ macros }}_OUTPUTS outputs; real value = {{ results[0].scale }} * (code - ({{ results[0].zero_point }})). */
{% else %}
/* Writes the {{ macros }}_OUTPUTS outputs, {{ results | length }} tensors one after the other:
{% for result in results %}
     from outputs[{{ result.first }}], {{ result.shape }}: real value = {{ result.scale }} * (code - ({{ result.zero_point }}))
{% endfor %}
*/
{% endif %}
int {{ prefix }}_finish({{ prefix }}_context *context, int8_t *out);

/* All three, for an image of {{ macros }}_ROWS rows in memory.
{%- if is_correcting +%}
   If something was upset, it repairs the constants (satkd_engine_repair) and runs again, three times in all. If rows are pushed one
   by one, do so yourself: after SATKD_CORRUPT call {{ prefix }}_repair, and after this or SATKD_UPSET begin the image again.
{%- endif %} */
int {{ prefix }}_run({{ prefix }}_context *context, size_t context_bytes, const {{ input_type }} *image, int8_t *out);

/* Layers, weights, tables and schedule: radiation, worn flash or an interrupted update may change them. If the part has a
   data cache, invalidate it before a check. */

#define {{ macros }}_CONSTANTS_BYTES {{ constants_bytes }}
#define {{ macros }}_CONSTANTS_CRC32 {{ "0x%08x" | format(crc32) }}u /* zlib's, of the bytes in a little-endian part */

/* Checks all of them: SATKD_OK or SATKD_CORRUPT. If that takes longer than the watchdog allows, scrub. */
int {{ prefix }}_verify(void);

/* Checks the next `bytes` bytes: SATKD_IN_PROGRESS, and at the end SATKD_OK or SATKD_CORRUPT; the next call starts a new
   round. A single SATKD_CORRUPT may come from an upset of the scrubber or of a register: the constants are damaged if the
   next round, or {{ prefix }}_verify, returns it too.
     scrubber: all zero at first. */
int {{ prefix }}_scrub_step(satkd_scrubber *scrubber, uint32_t bytes);

{% if is_correcting %}
/* Repairs single flipped bits of the constants: SATKD_OK if all of them are right then, otherwise SATKD_CORRUPT. Needs the engine to
   be compiled with -DSATKD_WRITE_WORD=..., see satkd_engine_repair. */
int {{ prefix }}_repair(void);

{% endif %}
/* The address of all {{ macros }}_CONSTANTS_BYTES bytes: to keep two copies elsewhere, taken after {{ prefix }}_verify returned
   SATKD_OK, and to repair the original with satkd_repair_by_majority. */
const void *{{ prefix }}_constants_start(void);

#ifdef __cplusplus
}
#endif

#endif /* {{ macros }}_MODEL_H */
