{% include "provenance.txt" %}
//
{% if has_unit_input %}
// Input: int8 {{ input.shape | list }}, {{ input_values }}: feed
//   input->data.int8[i] = static_cast<int8_t>(pixel[i] ^ 0x80);
{% else %}
// WARNING: the input, int8 {{ input.shape | list }}, is NOT pixel / 255 with scale 1/255 and zero point -128.
//   Firmware must quantize it itself: round(value / kInputScale) + kInputZeroPoint, saturated to -128..127.
{% endif %}
// Output: int8 {{ output.shape | list }}, value = kOutputScale * (code - kOutputZeroPoint).
{% for end in further_ends %}
// {{ end.name }}: int8 {{ end.shape | list }}, value = k{{ end.name }}Scale * (code - k{{ end.name }}ZeroPoint).
{% endfor %}
{% for change in changes %}
{{ change }}
{% endfor %}
{% for paragraph in paragraphs %}
{{ paragraph }}
{% endfor %}

#ifndef {{ guard }}
#define {{ guard }}

#include <stddef.h>
#include <stdint.h>

extern const unsigned char {{ symbol }}[];
extern const unsigned int {{ symbol }}_size;

namespace {{ namespace }} {

inline constexpr unsigned int kModelBytes = {{ size }};
inline constexpr uint32_t kModelCrc32 = {{ "0x%08x" | format(crc32) }};  // zlib's CRC-32, as in Ethernet and PNG
inline constexpr char kModelSha256[] = "{{ sha256 }}";

inline constexpr size_t kArenaBytes = {{ arena_bytes_with_margin }};

inline constexpr int kInputShape[] = { {{- input.shape | join(", ") -}} };
inline constexpr float kInputScale = {{ input.scale }};
inline constexpr int kInputZeroPoint = {{ input.zero_point }};

inline constexpr int kOutputShape[] = { {{- output.shape | join(", ") -}} };
inline constexpr float kOutputScale = {{ output.scale }};
inline constexpr int kOutputZeroPoint = {{ output.zero_point }};
{% for end in further_ends %}

inline constexpr int k{{ end.name }}Shape[] = { {{- end.shape | join(", ") -}} };
inline constexpr float k{{ end.name }}Scale = {{ end.scale }};
inline constexpr int k{{ end.name }}ZeroPoint = {{ end.zero_point }};
{% endfor %}
{% if class_names %}

inline constexpr int kClassCount = {{ class_names | length }};
inline constexpr const char* kClassNames[] = {
{% for name in class_names %}
    {{ name }},
{% endfor %}
};
{% endif %}

}  // namespace {{ namespace }}

#endif  // {{ guard }}
