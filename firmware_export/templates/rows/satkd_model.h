{% include "rows/provenance.txt" %}

/* {{ summary }}

   The whole network in {{ context_bytes }} bytes of RAM: rows lie in rings, and each layer works as soon as it can. Integers only, no heap, no
   recursion, nothing outside the context is written. One task at a time may work on a context; several contexts are
   independent of one another.

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
#define SATKD_CONTEXT_BYTES {{ context_bytes }}

/* What every function returns. The values are fixed, so that telemetry can carry them. */
enum {
  SATKD_OK = 0,
  SATKD_NULL_POINTER = 1,  /* an argument is null */
  SATKD_NOT_BEGUN = 2,     /* satkd_begin has not been called, or not since the last satkd_finish */
  SATKD_TOO_MANY_ROWS = 3, /* more than SATKD_ROWS */
  SATKD_TOO_FEW_ROWS = 4   /* satkd_finish before SATKD_ROWS rows */
};

/* All state. Its members are nobody's but satkd_model.c's. */
typedef struct satkd_context {
  uint32_t begun;
  uint32_t position; /* in the schedule */
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
/* Takes the next row, from the top: SATKD_ROW_BYTES codes, round(value / {{ input_scale }}) + {{ input_zero_point }}. The model's input is not
   pixel / 255, so the codes are the firmware's to make. */
int satkd_push_row(satkd_context *context, const int8_t *row);
{% endif %}

/* Gives the SATKD_OUTPUTS outputs; real value = {{ output_scale }} * (code - {{ output_zero_point }}). */
int satkd_finish(satkd_context *context, int8_t *out);

/* All of the above for an image of SATKD_ROWS rows. */
int satkd_run(satkd_context *context, const {{ input_type }} *image, int8_t *out);

#ifdef __cplusplus
}
#endif

#endif /* SATKD_MODEL_H */
