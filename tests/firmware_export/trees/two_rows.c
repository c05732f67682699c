/* Two models in the row engine, both in work at the same time. */
#include <string.h>

#include "cloud_golden.h"
#include "ship_2_golden.h"

int main(void) {
  static cloud_context cloud;
  static ship_2_context ship;
  int8_t cloud_out[CLOUD_OUTPUTS], ship_out[SHIP_2_OUTPUTS];
  if (sizeof cloud != CLOUD_CONTEXT_BYTES || sizeof ship != SHIP_2_CONTEXT_BYTES) return 1;
  if (cloud_verify() != SATKD_OK || ship_2_verify() != SATKD_OK) return 2;
  if (cloud_begin(&cloud, sizeof cloud) != SATKD_OK || ship_2_begin(&ship, sizeof ship) != SATKD_OK) return 3;
  for (int row = 0; row < SHIP_2_ROWS; ++row) {
    if (ship_2_push_row(&ship, ship_2_golden_inputs[1] + row * SHIP_2_ROW_BYTES) != SATKD_OK) return 4;
    if (row >= CLOUD_ROWS) continue;
    if (cloud_push_row(&cloud, cloud_golden_inputs[2] + row * CLOUD_ROW_BYTES) != SATKD_OK) return 5;
  }
  if (cloud_finish(&cloud, cloud_out) != SATKD_OK || ship_2_finish(&ship, ship_out) != SATKD_OK) return 6;
  if (memcmp(cloud_out, cloud_golden_outputs[2], sizeof cloud_out) != 0) return 7;
  if (memcmp(ship_out, ship_2_golden_outputs[1], sizeof ship_out) != 0) return 8;
  /* A context is of one model. */
  if (cloud_begin(&cloud, sizeof cloud) != SATKD_OK) return 9;
  if (ship_2_push_row((ship_2_context *)(void *)&cloud, ship_2_golden_inputs[1]) != SATKD_NOT_BEGUN) return 10;
  if (cloud_push_row(&cloud, cloud_golden_inputs[0]) != SATKD_OK) return 11;
  return cloud_self_test(&cloud, sizeof cloud) != SATKD_OK || ship_2_self_test(&ship, sizeof ship) != SATKD_OK ? 12 : 0;
}
