{% include "rows/provenance.txt" %}

#include "{{ prefix }}_golden.h"

/* These golden vectors are of one model: export both together. */
typedef char {{ prefix }}_golden_is_of_this_model[({{ macros }}_CONSTANTS_CRC32 == {{ "0x%08x" | format(crc32) }}u) ? 1 : -1];

const {{ input_type }} {{ prefix }}_golden_inputs[{{ macros }}_GOLDEN_VECTORS][{{ macros }}_ROWS * {{ macros }}_ROW_BYTES] = {
{% for lines in golden_inputs %}
    {
{{ lines }}
    },
{% endfor %}
};

const int8_t {{ prefix }}_golden_outputs[{{ macros }}_GOLDEN_VECTORS][{{ macros }}_OUTPUTS] = {
{% for lines in golden_outputs %}
    {
{{ lines }}
    },
{% endfor %}
};

int {{ prefix }}_self_test({{ prefix }}_context *context, size_t context_bytes) {
  int8_t outputs[{{ macros }}_OUTPUTS];
  for (int vector = 0; vector < {{ macros }}_GOLDEN_VECTORS; ++vector) {
    const int status = {{ prefix }}_run(context, context_bytes, {{ prefix }}_golden_inputs[vector], outputs);
    if (status != SATKD_OK) {
      return status;
    }
    for (int i = 0; i < {{ macros }}_OUTPUTS; ++i) {
      if (outputs[i] != {{ prefix }}_golden_outputs[vector][i]) {
        return SATKD_WRONG_ANSWER;
      }
    }
  }
  return SATKD_OK;
}
