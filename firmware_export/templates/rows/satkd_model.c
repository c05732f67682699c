{% include "rows/provenance.txt" %}

#include "{{ prefix }}_model.h"

#if SATKD_ENGINE_VERSION != {{ engine_version }}
#error "This model needs satkd_engine.h and satkd_engine*.c of version {{ engine_version }}: take them from its export."
#endif

/* All of the model, in flash. Words come before bytes, and every array is a multiple of 4 bytes, so there are no gaps. */
typedef struct {{ prefix }}_constants_t {
  satkd_engine_model model;
  satkd_engine_layer layers[{{ layers | length }}];
{% if fills %}
  satkd_engine_fill fills[{{ fills | length }}];
{% endif %}
{% for line in declarations %}
  {{ line }}
{% endfor %}
} {{ prefix }}_constants_t;

/* C99's compile-time checks: a false condition is an array of -1 elements. */
typedef char {{ prefix }}_context_has_its_size[(sizeof({{ prefix }}_context) == {{ macros }}_CONTEXT_BYTES) ? 1 : -1];
typedef char {{ prefix }}_constants_have_no_gaps[(sizeof({{ prefix }}_constants_t) == {{ macros }}_CONSTANTS_BYTES) ? 1 : -1];

static const {{ prefix }}_constants_t {{ prefix }}_constants = {
    .model = {
{% for line in model %}
        {{ line }}
{% endfor %}
    },
    .layers = {
{% for layer in layers %}
        {
            /* {{ loop.index }}: {{ layer.comment }} */
{% for line in layer.lines %}
            {{ line }}
{% endfor %}
        },
{% endfor %}
    },
{% if fills %}
    .fills = {
{% for fill in fills %}
        { {{- fill -}} },
{% endfor %}
    },
{% endif %}
{% for name, values in arrays %}
    .{{ name }} = {
{{ values }}
    },
{% endfor %}
};

/* The bytes of {{ prefix }}_constants that are words. */
#define {{ macros }}_WORDS_BYTES {{ words_bytes }}u

int {{ prefix }}_begin({{ prefix }}_context *context, size_t context_bytes) {
  return satkd_engine_begin(&{{ prefix }}_constants.model, context, context_bytes);
}

int {{ prefix }}_push_row({{ prefix }}_context *context, const {{ input_type }} *row) {
  return satkd_engine_push_row(&{{ prefix }}_constants.model, context, row);
}

int {{ prefix }}_finish({{ prefix }}_context *context, int8_t *out) {
  return satkd_engine_finish(&{{ prefix }}_constants.model, context, out);
}

int {{ prefix }}_run({{ prefix }}_context *context, size_t context_bytes, const {{ input_type }} *image, int8_t *out) {
{% if is_correcting %}
  return satkd_engine_run_with_repair(&{{ prefix }}_constants.model, context, context_bytes, image, out,
                                      {{ macros }}_WORDS_BYTES, {{ macros }}_CONSTANTS_BYTES, {{ macros }}_CONSTANTS_CRC32);
{% else %}
  return satkd_engine_run(&{{ prefix }}_constants.model, context, context_bytes, image, out);
{% endif %}
}

int {{ prefix }}_verify(void) {
  return satkd_engine_verify(&{{ prefix }}_constants.model, {{ macros }}_WORDS_BYTES, {{ macros }}_CONSTANTS_BYTES,
                             {{ macros }}_CONSTANTS_CRC32);
}

int {{ prefix }}_scrub_step(satkd_scrubber *scrubber, uint32_t bytes) {
  return satkd_engine_scrub_step(&{{ prefix }}_constants.model, {{ macros }}_WORDS_BYTES, {{ macros }}_CONSTANTS_BYTES,
                                 {{ macros }}_CONSTANTS_CRC32, scrubber, bytes);
}

{% if is_correcting %}
int {{ prefix }}_repair(void) {
  return satkd_engine_repair(&{{ prefix }}_constants.model, {{ macros }}_WORDS_BYTES, {{ macros }}_CONSTANTS_BYTES,
                             {{ macros }}_CONSTANTS_CRC32);
}

{% endif %}
const void *{{ prefix }}_constants_start(void) {
  return &{{ prefix }}_constants;
}
