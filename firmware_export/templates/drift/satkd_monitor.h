{% include "rows/provenance.txt" %}

/* Drift monitor: are these images like those that the model was validated on? Haze, a wrong gain, swapped bands, or a
   dead detector change integer statistics of the images; the monitor compares their sums over {{ macros }}_MONITOR_WINDOW
   images with bounds.

{% for line in reason %}
   {{ line }}
{% endfor %}

     static {{ prefix }}_monitor monitor;
     {{ prefix }}_monitor_begin(&monitor);
     ...
     {{ prefix }}_monitor_image(&monitor, pixels);
     if ({{ prefix }}_monitor_result(&monitor, outputs) == {{ macros }}_MONITOR_OUT_OF_RANGE) Report(monitor.low, monitor.high);

   If the image arrives row by row, call {{ prefix }}_monitor_row instead of {{ prefix }}_monitor_image.

   Takes {{ table_bytes }} bytes of flash for tables, and nothing if no function is called. Include it in one source file: all
   functions are in this header. C99 or C++17; integers only, no heap, nothing written outside the monitor. */

#ifndef {{ macros }}_MONITOR_H
#define {{ macros }}_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define {{ macros }}_MONITOR_WINDOW {{ window }} /* images */
#define {{ macros }}_MONITOR_ROWS {{ rows }}
#define {{ macros }}_MONITOR_COLUMNS {{ columns }}
#define {{ macros }}_MONITOR_BANDS {{ bands }}
#define {{ macros }}_MONITOR_OUTPUTS {{ outputs }}
#define {{ macros }}_MONITOR_ROW_VALUES ({{ macros }}_MONITOR_COLUMNS * {{ macros }}_MONITOR_BANDS)

/* What {{ prefix }}_monitor_result returns. The values will not change, so that telemetry can contain them. */
enum {
  {{ macros }}_MONITOR_IN_PROGRESS = 0,  /* the window is not complete */
  {{ macros }}_MONITOR_IN_RANGE = 1,     /* the window is complete: images like those of the validation */
  {{ macros }}_MONITOR_OUT_OF_RANGE = 2, /* the window is complete: other images; `low` and `high` tell which statistics */
  {{ macros }}_MONITOR_NO_IMAGE = 3      /* a null pointer, or not {{ macros }}_MONITOR_ROWS rows: the image does not count */
};

/* The statistics: bits of `low` and `high`. */
enum {
{% for name, meaning in statistics %}
  {{ macros }}_MONITOR_{{ name }} = {{ loop.index0 }}, /* {{ meaning }} */
{% endfor %}
  {{ macros }}_MONITOR_STATISTICS = {{ statistics | length }}
};

/* All state. */
typedef struct {{ prefix }}_monitor {
  uint32_t low;  /* of the last complete window: bit i is set if statistic i is too low */
  uint32_t high; /* the same, too high */
  int32_t image[{{ macros }}_MONITOR_STATISTICS - 1]; /* sums over the image so far; there is no sum of the margin */
  int16_t window[{{ macros }}_MONITOR_STATISTICS];    /* sums over the images of the window so far */
  uint32_t rows;                               /* of the image so far */
  uint32_t images;                             /* of the window so far */
} {{ prefix }}_monitor;

/* Statistics are divided by a power of two, so that the tables fit in int16. */
static const int32_t {{ prefix }}_monitor_divisors[{{ macros }}_MONITOR_STATISTICS] = { {{- divisors -}} };

/* Mean and standard deviation of each statistic among the validation images of each predicted class. */
static const int16_t {{ prefix }}_monitor_means[{{ macros }}_MONITOR_OUTPUTS][{{ macros }}_MONITOR_STATISTICS] = {
{% for line in means %}
    { {{- line -}} },
{% endfor %}
};
static const int16_t {{ prefix }}_monitor_deviations[{{ macros }}_MONITOR_OUTPUTS][{{ macros }}_MONITOR_STATISTICS] = {
{% for line in deviations %}
    { {{- line -}} },
{% endfor %}
};

/* Bounds of the sums of a window, in sixteenths of a standard deviation. */
static const int16_t {{ prefix }}_monitor_lower[{{ macros }}_MONITOR_STATISTICS] = { {{- lower -}} };
static const int16_t {{ prefix }}_monitor_upper[{{ macros }}_MONITOR_STATISTICS] = { {{- upper -}} };

/* Begins a window. */
static inline void {{ prefix }}_monitor_begin({{ prefix }}_monitor *monitor) {
  if (monitor != NULL) {
    monitor->low = 0u;
    monitor->high = 0u;
    for (int i = 0; i < {{ macros }}_MONITOR_STATISTICS; ++i) monitor->window[i] = 0;
    monitor->rows = 0u;
    monitor->images = 0u;
  }
}

static inline int32_t {{ prefix }}_monitor_absolute(int32_t value) { return (value < 0) ? -value : value; }

/* Adds the next row of an image.
     row: {{ macros }}_MONITOR_ROW_VALUES values, as the model gets them.
     above: the previous row, which must still be in memory; null for the first row, which begins a new image. */
static inline void {{ prefix }}_monitor_row({{ prefix }}_monitor *monitor, const {{ type }} *row, const {{ type }} *above) {
  if ((monitor == NULL) || (row == NULL)) return;
  int32_t *const sums = monitor->image;
  if (above == NULL) {
    for (int i = 0; i < ({{ macros }}_MONITOR_STATISTICS - 1); ++i) sums[i] = 0;
    monitor->rows = 0u;
  } else if ((monitor->rows == 0u) || (monitor->rows >= {{ macros }}_MONITOR_ROWS)) {
    monitor->rows = 0u; /* no image has begun, or it has too many rows: it does not count */
    return;
  } else {
    /* a row of the image that has begun */
  }
  int32_t direction = 0;
  int32_t texture = 0;
{% if bands > 1 %}
  int32_t color_texture = 0;
{% endif %}
  int32_t contrast = 0;
  int32_t dark = 0;
  int32_t bright = 0;
  for (int column = 0; column < {{ macros }}_MONITOR_COLUMNS; ++column) {
{% if bands > 1 %}
    int32_t previous_mixed = 0;
{% endif %}
    for (int band = 0; band < {{ macros }}_MONITOR_BANDS; ++band) {
      const int at = (column * {{ macros }}_MONITOR_BANDS) + band;
      const int32_t value = row[at];
      sums[band] += value;
      dark += (value == {{ lowest }}) ? 1 : 0;
      bright += (value == {{ highest }}) ? 1 : 0;
      if (column >= ({{ macros }}_MONITOR_COLUMNS / 2)) {
        const int32_t apart = row[at - (({{ macros }}_MONITOR_COLUMNS / 2) * {{ macros }}_MONITOR_BANDS)];
        contrast += {{ prefix }}_monitor_absolute(value - apart);
      }
      if (above != NULL) direction -= {{ prefix }}_monitor_absolute(value - above[at]);
      if (column > 0) {
        const int32_t right = value - row[at - {{ macros }}_MONITOR_BANDS];
        direction += {{ prefix }}_monitor_absolute(right);
        if (above != NULL) {
          const int32_t mixed = right - ((int32_t)above[at] - above[at - {{ macros }}_MONITOR_BANDS]);
          texture += {{ prefix }}_monitor_absolute(mixed);
{% if bands > 1 %}
          if (band > 0) color_texture += {{ prefix }}_monitor_absolute(mixed - previous_mixed);
          previous_mixed = mixed;
{% endif %}
        }
      }
    }
  }
  sums[{{ macros }}_MONITOR_DIRECTION] += direction;
  sums[{{ macros }}_MONITOR_TEXTURE] += texture;
{% if bands > 1 %}
  sums[{{ macros }}_MONITOR_COLOR_TEXTURE] += color_texture;
{% endif %}
  sums[{{ macros }}_MONITOR_CONTRAST] += contrast;
  sums[{{ macros }}_MONITOR_DARK] += dark;
  sums[{{ macros }}_MONITOR_BRIGHT] += bright;
  ++monitor->rows;
}

/* Adds all rows of an image: {{ macros }}_MONITOR_ROWS * {{ macros }}_MONITOR_ROW_VALUES values. */
static inline void {{ prefix }}_monitor_image({{ prefix }}_monitor *monitor, const {{ type }} *image) {
  const {{ type }} *above = NULL;
  if (image == NULL) return;
  for (int row = 0; row < {{ macros }}_MONITOR_ROWS; ++row) {
    const {{ type }} *const values = image + (row * {{ macros }}_MONITOR_ROW_VALUES);
    {{ prefix }}_monitor_row(monitor, values, above);
    above = values;
  }
}

/* The difference of a statistic from its mean, in sixteenths of its standard deviation: -64 to 64. */
static inline int16_t {{ prefix }}_monitor_residual(int32_t statistic, int class_index, int i) {
  const int32_t deviation = {{ prefix }}_monitor_deviations[class_index][i];
  const int32_t difference = (statistic / {{ prefix }}_monitor_divisors[i]) - {{ prefix }}_monitor_means[class_index][i];
  const int32_t limit = {{ limit }} * deviation;
  const int32_t limited = (difference < -limit) ? -limit : ((difference > limit) ? limit : difference);
  return (int16_t)((limited * {{ steps }}) / deviation);
}

/* Compares the sums of a complete window with their bounds. */
static inline int {{ prefix }}_monitor_decide({{ prefix }}_monitor *monitor) {
  monitor->low = 0u;
  monitor->high = 0u;
  for (int i = 0; i < {{ macros }}_MONITOR_STATISTICS; ++i) {
    if (monitor->window[i] < {{ prefix }}_monitor_lower[i]) monitor->low |= (uint32_t)1 << i;
    if (monitor->window[i] > {{ prefix }}_monitor_upper[i]) monitor->high |= (uint32_t)1 << i;
    monitor->window[i] = 0;
  }
  monitor->images = 0u;
  return ((monitor->low | monitor->high) == 0u) ? {{ macros }}_MONITOR_IN_RANGE : {{ macros }}_MONITOR_OUT_OF_RANGE;
}

/* Ends an image.
     outputs: the {{ macros }}_MONITOR_OUTPUTS outputs of the model for it. */
static inline int {{ prefix }}_monitor_result({{ prefix }}_monitor *monitor, const int8_t *outputs) {
  if ((monitor == NULL) || (outputs == NULL) || (monitor->rows != {{ macros }}_MONITOR_ROWS)) return {{ macros }}_MONITOR_NO_IMAGE;
  monitor->rows = 0u;
  int best = 0;
  for (int i = 1; i < {{ macros }}_MONITOR_OUTPUTS; ++i) {
    if (outputs[i] > outputs[best]) best = i;
  }
  int32_t margin = 255;
  for (int i = 0; i < {{ macros }}_MONITOR_OUTPUTS; ++i) {
    const int32_t difference = (int32_t)outputs[best] - outputs[i];
    if ((i != best) && (difference < margin)) margin = difference;
  }
  for (int i = 0; i < {{ macros }}_MONITOR_STATISTICS; ++i) {
    const int32_t statistic = (i == {{ macros }}_MONITOR_MARGIN) ? margin : monitor->image[i];
    monitor->window[i] = (int16_t)(monitor->window[i] + {{ prefix }}_monitor_residual(statistic, best, i));
  }
  ++monitor->images;
  return (monitor->images >= {{ macros }}_MONITOR_WINDOW) ? {{ prefix }}_monitor_decide(monitor) : {{ macros }}_MONITOR_IN_PROGRESS;
}

#ifdef __cplusplus
}
#endif

#endif /* {{ macros }}_MONITOR_H */
