{% include "rows/provenance.txt" %}

/* {{ origin }}
   Takes {{ golden_bytes }} bytes of flash, and none where nothing refers to it (-ffunction-sections -fdata-sections
   -Wl,--gc-sections).
   SHA-256 of all inputs followed by all outputs:
     {{ golden_sha256 }} */

#ifndef SATKD_GOLDEN_H
#define SATKD_GOLDEN_H

#include "satkd_model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SATKD_GOLDEN_VECTORS {{ golden_inputs | length }}

extern const {{ input_type }} satkd_golden_inputs[SATKD_GOLDEN_VECTORS][SATKD_ROWS * SATKD_ROW_BYTES];
extern const int8_t satkd_golden_outputs[SATKD_GOLDEN_VECTORS][SATKD_OUTPUTS];

/* Runs them: SATKD_OK, SATKD_WRONG_ANSWER, or what satkd_run says. */
int satkd_self_test(satkd_context *context);

#ifdef __cplusplus
}
#endif

#endif /* SATKD_GOLDEN_H */
