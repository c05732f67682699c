{% include "provenance.txt" %}

#include "model_data.h"

alignas(16) const unsigned char {{ symbol }}[] = {
{% for line in lines %}
    {{ line }},
{% endfor %}
};

const unsigned int {{ symbol }}_size = {{ size }};

static_assert(sizeof({{ symbol }}) == {{ namespace }}::kModelBytes, "the array is incomplete");
