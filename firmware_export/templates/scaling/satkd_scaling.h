{% include "rows/provenance.txt" %}

/* The model's pixels are codes of 8 bits. This header makes them from raw samples, as in training:

{% for line in rule %}
     {{ line }}
{% endfor %}

     channel  band in training  number in the files  low..high
{% for channel in channels %}
     {{ channel }}
{% endfor %}

   Reason for the ranges: {{ reason }}.

     static uint8_t pixels[{{ macros }}_SCALING_ROW_PIXELS * {{ macros }}_SCALING_CHANNELS];
     {{ prefix }}_codes(samples, pixels, {{ macros }}_SCALING_ROW_PIXELS);

   {{ "Double-precision floating point" if is_float else "Integers only" }}; no heap. C99 or C++17; all functions are in this header. */

#ifndef {{ macros }}_SCALING_H
#define {{ macros }}_SCALING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define {{ macros }}_SCALING_CHANNELS {{ channels | length }}u
#define {{ macros }}_SCALING_ROW_PIXELS {{ row_pixels }}u

/* The code of one sample.
     channel: 0 to {{ macros }}_SCALING_CHANNELS - 1, in the model's order; the code of any other channel is 0. */
static inline uint8_t {{ prefix }}_code({{ type }} sample, size_t channel) {
{% if is_float %}
  static const double low[{{ channels | length }}] = { {{- low -}} };
  static const double span[{{ channels | length }}] = { {{- span -}} };
  if (channel >= {{ macros }}_SCALING_CHANNELS) return 0u;
  const double code = ((double)sample - low[channel]) * 256.0 / span[channel];
  if (!(code > 0.0)) return 0u; /* also of NaN */
  return (code < 255.0) ? (uint8_t)code : (uint8_t)255u;
{% elif is_identity %}
  return (channel < {{ macros }}_SCALING_CHANNELS) ? sample : (uint8_t)0u;
{% else %}
  static const uint32_t low[{{ channels | length }}] = { {{- low -}} };
  static const uint32_t span[{{ channels | length }}] = { {{- span -}} }; /* high - low + 1 */
  if (channel >= {{ macros }}_SCALING_CHANNELS) return 0u;
  if (sample <= low[channel]) return 0u;
  const uint32_t code = (256u * ((uint32_t)sample - low[channel])) / span[channel];
  return (code < 255u) ? (uint8_t)code : (uint8_t)255u;
{% endif %}
}

/* The codes of pixels, such as a row of an image.
     samples: for each pixel, one sample of each channel, in the model's order.
     codes: as many bytes, in memory of their own. */
static inline void {{ prefix }}_codes(const {{ type }} *samples, uint8_t *codes, size_t pixels) {
  if ((samples == NULL) || (codes == NULL)) return;
  for (size_t pixel = 0u; pixel < pixels; ++pixel) {
    for (size_t channel = 0u; channel < {{ macros }}_SCALING_CHANNELS; ++channel) {
      const size_t at = (pixel * {{ macros }}_SCALING_CHANNELS) + channel;
      codes[at] = {{ prefix }}_code(samples[at], channel);
    }
  }
}

#ifdef __cplusplus
}
#endif

#endif /* {{ macros }}_SCALING_H */
