{% include "rows/provenance.txt" %}

#include "satkd_model.h"

{% include "rows/arithmetic.h" %}

{% include "rows/kernels_portable.h" %}

#if SATKD_KERNELS == 2
{% include "rows/kernels_mve.h" %}
#elif SATKD_KERNELS == 1
{% include "rows/kernels_dsp.h" %}
#else
{% include "rows/kernels_plain.h" %}
#endif

#if SATKD_SCRATCH_BYTES > 0
#define SATKD_SCRATCH context->scratch
#else
#define SATKD_SCRATCH NULL
#endif

{% include "rows/kernels.h" %}

/* Everything that the model knows, in flash. Words before bytes, and every array a multiple of 4 bytes: there are no gaps,
   and int8 arrays lie at multiples of 4. */
typedef struct satkd_constants_t {
{% for line in declarations %}
  {{ line }}
{% endfor %}
} satkd_constants_t;

static const satkd_constants_t satkd_constants = {
{% for line in initializers %}
  {
{{ line }}
  },
{% endfor %}
};

/* C99's way to have a false condition refused by the compiler. */
typedef char satkd_context_has_its_size[sizeof(satkd_context) == SATKD_CONTEXT_BYTES ? 1 : -1];
typedef char satkd_constants_have_no_gaps[sizeof(satkd_constants_t) == {{ constants_bytes }} ? 1 : -1];

{% for layer in layers %}
/* {{ layer.comment }} */
static void satkd_layer_{{ layer.position }}(satkd_context *context, int step) {
{% for line in layer.body %}
  {{ line }}
{% endfor %}
}

{% endfor %}
static void satkd_work(satkd_context *context, unsigned layer, int step) {
  switch (layer) {
{% for layer in layers %}
    case {{ layer.position }}:
      satkd_layer_{{ layer.position }}(context, step);
      break;
{% endfor %}
    default:
      break;
  }
}

#define SATKD_BEGUN {{ "0x%08x" | format(begun) }}u
#define SATKD_SCHEDULE {{ schedule }}u /* steps: 0 is a row of the image, i one of layer i */

{% if pads %}
static void satkd_fill(int8_t *codes, int count, int8_t value) {
  for (int i = 0; i < count; ++i) codes[i] = value;
}

{% endif %}
int satkd_begin(satkd_context *context) {
  if (context == NULL) return SATKD_NULL_POINTER;
  context->position = 0;
  for (int i = 0; i <= {{ layers | length }}; ++i) context->steps[i] = 0;
{% for line in pads %}
  {{ line }}
{% endfor %}
  context->begun = SATKD_BEGUN;
  return SATKD_OK;
}

int satkd_push_row(satkd_context *context, const {{ input_type }} *row) {
  if (context == NULL || row == NULL) return SATKD_NULL_POINTER;
  if (context->begun != SATKD_BEGUN) return SATKD_NOT_BEGUN;
  if (context->position >= SATKD_SCHEDULE) return SATKD_TOO_MANY_ROWS;

  const int step = context->steps[0];
  int8_t *in = {{ input_address }};
{% if has_pixels %}
  /* Scale 1/255 and zero point -128: quantizing a pixel is flipping its highest bit. */
  for (int i = 0; i < SATKD_ROW_BYTES; ++i) in[i] = (int8_t)(row[i] - 128);
{% else %}
  for (int i = 0; i < SATKD_ROW_BYTES; ++i) in[i] = row[i];
{% endif %}
  context->steps[0] = (uint16_t)(step + 1);
  ++context->position;

  while (context->position < SATKD_SCHEDULE) {
    const unsigned layer = satkd_constants.schedule[context->position];
    if (layer == 0 || layer > {{ layers | length }}) break;
    satkd_work(context, layer, context->steps[layer]);
    ++context->steps[layer];
    ++context->position;
  }
  return SATKD_OK;
}

int satkd_finish(satkd_context *context, int8_t *out) {
  if (context == NULL || out == NULL) return SATKD_NULL_POINTER;
  if (context->begun != SATKD_BEGUN) return SATKD_NOT_BEGUN;
  if (context->position < SATKD_SCHEDULE) return SATKD_TOO_FEW_ROWS;
  context->begun = 0;
  for (int row = 0; row < {{ output_rows }}; ++row) {
    const int8_t *codes = {{ output_address }};
    for (int i = 0; i < {{ output_row_codes }}; ++i) *out++ = codes[i];
  }
  return SATKD_OK;
}

int satkd_run(satkd_context *context, const {{ input_type }} *image, int8_t *out) {
  if (image == NULL || out == NULL) return SATKD_NULL_POINTER;
  int status = satkd_begin(context);
  for (int row = 0; row < SATKD_ROWS && status == SATKD_OK; ++row) {
    status = satkd_push_row(context, image + row * SATKD_ROW_BYTES);
  }
  return status == SATKD_OK ? satkd_finish(context, out) : status;
}

{% include "rows/integrity.h" %}
