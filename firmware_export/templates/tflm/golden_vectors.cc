{% include "provenance.txt" %}

#include "golden_vectors.h"

#include "model_data.h"

namespace {{ namespace }} {

static_assert(kModelCrc32 == {{ "0x%08x" | format(crc32) }}u,
              "these golden vectors belong to another model: export both together");
{% if not rows_prefix %}

const {{ golden_input_type }} kGoldenInputs[kGoldenVectorCount][kGoldenInputBytes] = {
{% for lines in golden_inputs %}
    {
{% for line in lines %}
        {{ line }},
{% endfor %}
    },
{% endfor %}
};

const int8_t kGoldenOutputs[kGoldenVectorCount][kGoldenOutputBytes] = {
{% for lines in golden_outputs %}
    {
{% for line in lines %}
        {{ line }},
{% endfor %}
    },
{% endfor %}
};
{% endif %}

}  // namespace {{ namespace }}
