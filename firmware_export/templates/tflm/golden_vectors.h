{% include "provenance.txt" %}
//
{% for paragraph in golden_paragraphs %}
{{ paragraph }}
{% endfor %}
//
//   using namespace {{ namespace }};
//   for (int v = 0; v < kGoldenVectorCount; ++v) {
//     for (int i = 0; i < kGoldenInputBytes; ++i) {
{% if has_pixels %}
//       input->data.int8[i] = static_cast<int8_t>(kGoldenInputs[v][i] ^ 0x80);
{% else %}
//       input->data.int8[i] = kGoldenInputs[v][i];
{% endif %}
//     }
//     if (interpreter.Invoke() != kTfLiteOk) return false;
//     if (memcmp(output->data.int8, kGoldenOutputs[v], kGoldenOutputBytes) != 0) return false;
//   }
//
// SHA-256 of all inputs followed by all outputs:
//   {{ golden_sha256 }}

#ifndef {{ guard }}
#define {{ guard }}

#include <stddef.h>
#include <stdint.h>
{% if rows_prefix %}

#include "{{ rows_prefix }}_golden.h"
{% endif %}

namespace {{ namespace }} {

inline constexpr int kGoldenVectorCount = {{ golden_count }};
inline constexpr int kGoldenInputBytes = {{ golden_input_bytes }};
inline constexpr int kGoldenOutputBytes = {{ golden_output_bytes }};

// zlib's CRC-32 of all inputs followed by all outputs.
inline constexpr uint32_t kGoldenCrc32 = {{ "0x%08x" | format(golden_crc32) }}u;

{% if rows_prefix %}
// Those of the row engine: one copy for both engines.
inline constexpr const {{ golden_input_type }} (&kGoldenInputs)[kGoldenVectorCount][kGoldenInputBytes] = {{ rows_prefix }}_golden_inputs;
inline constexpr const int8_t (&kGoldenOutputs)[kGoldenVectorCount][kGoldenOutputBytes] = {{ rows_prefix }}_golden_outputs;
{% else %}
extern const {{ golden_input_type }} kGoldenInputs[kGoldenVectorCount][kGoldenInputBytes];
extern const int8_t kGoldenOutputs[kGoldenVectorCount][kGoldenOutputBytes];
{% endif %}

}  // namespace {{ namespace }}

#endif  // {{ guard }}
