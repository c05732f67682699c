{% include "rows/provenance.txt" %}

/* {{ origin }}
   Takes {{ golden_bytes }} bytes of flash, and none where nothing refers to it (-ffunction-sections -fdata-sections
   -Wl,--gc-sections).
   SHA-256 of all inputs followed by all outputs:
     {{ golden_sha256 }} */

#ifndef {{ macros }}_GOLDEN_H
#define {{ macros }}_GOLDEN_H

#include "{{ prefix }}_model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define {{ macros }}_GOLDEN_VECTORS {{ golden_inputs | length }}

extern const {{ input_type }} {{ prefix }}_golden_inputs[{{ macros }}_GOLDEN_VECTORS][{{ macros }}_ROWS * {{ macros }}_ROW_BYTES];
extern const int8_t {{ prefix }}_golden_outputs[{{ macros }}_GOLDEN_VECTORS][{{ macros }}_OUTPUTS];

/* Runs them: SATKD_OK, SATKD_WRONG_ANSWER, or what {{ prefix }}_run says. It is no integrity check: damaged weights may give
   the same outputs for these images. {{ prefix }}_verify checks every bit. */
int {{ prefix }}_self_test({{ prefix }}_context *context, size_t context_bytes);

#ifdef __cplusplus
}
#endif

#endif /* {{ macros }}_GOLDEN_H */
