{% include "rows/provenance.txt" %}

#include "satkd_golden.h"

/* These golden vectors are of one model: export both together. */
typedef char satkd_golden_is_of_this_model[SATKD_CONSTANTS_CRC32 == {{ "0x%08x" | format(crc32) }}u ? 1 : -1];

const {{ input_type }} satkd_golden_inputs[SATKD_GOLDEN_VECTORS][SATKD_ROWS * SATKD_ROW_BYTES] = {
{% for lines in golden_inputs %}
    {
{{ lines }}
    },
{% endfor %}
};

const int8_t satkd_golden_outputs[SATKD_GOLDEN_VECTORS][SATKD_OUTPUTS] = {
{% for lines in golden_outputs %}
    {
{{ lines }}
    },
{% endfor %}
};

int satkd_self_test(satkd_context *context) {
  int8_t outputs[SATKD_OUTPUTS];
  for (int vector = 0; vector < SATKD_GOLDEN_VECTORS; ++vector) {
    const int status = satkd_run(context, satkd_golden_inputs[vector], outputs);
    if (status != SATKD_OK) return status;
    for (int i = 0; i < SATKD_OUTPUTS; ++i) {
      if (outputs[i] != satkd_golden_outputs[vector][i]) return SATKD_WRONG_ANSWER;
    }
  }
  return SATKD_OK;
}
