/* Reads images with their outputs from standard input, an image at a time or a row at a time, and writes after each image
   what the monitor says. */
#include <stdio.h>

#include "satkd_monitor.h"

enum { VALUES = SATKD_MONITOR_ROWS * SATKD_MONITOR_ROW_VALUES };

int main(int count, char **arguments) {
  static satkd_monitor monitor;
  static VALUE image[VALUES];
  static int8_t outputs[SATKD_MONITOR_OUTPUTS];
  (void)arguments;
  satkd_monitor_begin(&monitor);
  while (fread(image, sizeof image, 1, stdin) == 1 && fread(outputs, sizeof outputs, 1, stdin) == 1) {
    if (count == 1) {
      satkd_monitor_image(&monitor, image);
    } else {
      const VALUE *above = NULL;
      for (int row = 0; row < SATKD_MONITOR_ROWS; ++row) {
        satkd_monitor_row(&monitor, image + row * SATKD_MONITOR_ROW_VALUES, above);
        above = image + row * SATKD_MONITOR_ROW_VALUES;
      }
    }
    int32_t said[2 * SATKD_MONITOR_STATISTICS + 2];
    int at = 0;
    for (int i = 0; i < SATKD_MONITOR_STATISTICS - 1; ++i) said[at++] = monitor.image[i];
    int32_t status = satkd_monitor_result(&monitor, outputs);
    for (int i = 0; i < SATKD_MONITOR_STATISTICS; ++i) said[at++] = monitor.window[i];
    said[at++] = status;
    said[at++] = (int32_t)monitor.low;
    said[at++] = (int32_t)monitor.high;
    if (fwrite(said, sizeof said, 1, stdout) != 1) return 1;
  }
  return 0;
}
