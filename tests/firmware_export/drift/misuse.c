/* The monitor's answers to calls that no image stands behind: exit code 0 if all are as documented. */
#include <string.h>

#include "satkd_monitor.h"

static VALUE image[SATKD_MONITOR_ROWS * SATKD_MONITOR_ROW_VALUES];
static int8_t outputs[SATKD_MONITOR_OUTPUTS];

int main(void) {
  satkd_monitor monitor;
  const VALUE *second = image + SATKD_MONITOR_ROW_VALUES;
  memset(&monitor, 0xa5, sizeof monitor);
  satkd_monitor_begin(&monitor);
  satkd_monitor_begin(NULL);
  if (satkd_monitor_result(&monitor, outputs) != SATKD_MONITOR_NO_IMAGE) return 1;
  satkd_monitor_row(&monitor, second, image); /* not begun: its sums are not set */
  if (satkd_monitor_result(&monitor, outputs) != SATKD_MONITOR_NO_IMAGE) return 2;
  satkd_monitor_row(&monitor, image, NULL);
  if (satkd_monitor_result(&monitor, outputs) != SATKD_MONITOR_NO_IMAGE) return 3;
  satkd_monitor_image(&monitor, image);
  if (satkd_monitor_result(&monitor, NULL) != SATKD_MONITOR_NO_IMAGE) return 4;
  if (satkd_monitor_result(NULL, outputs) != SATKD_MONITOR_NO_IMAGE) return 5;
  if (satkd_monitor_result(&monitor, outputs) != SATKD_MONITOR_IN_PROGRESS) return 6;
  if (satkd_monitor_result(&monitor, outputs) != SATKD_MONITOR_NO_IMAGE) return 7; /* the same image again */
  satkd_monitor_image(&monitor, image);
  satkd_monitor_row(&monitor, second, image); /* one row too many */
  if (satkd_monitor_result(&monitor, outputs) != SATKD_MONITOR_NO_IMAGE) return 8;
  satkd_monitor_image(&monitor, NULL);
  satkd_monitor_row(NULL, image, NULL);
  satkd_monitor_row(&monitor, NULL, NULL);
  if (monitor.images != 1) return 9;
  return sizeof monitor == 72 ? 0 : 10; /* as docs/drift.md says of RGB images */
}
