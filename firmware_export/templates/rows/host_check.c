#include <stdio.h>

#include "satkd_model.h"

/* Reads images from standard input until it ends and writes the outputs of each; exit code 3 if the constants are not
   what they were. */
int main(void) {
  static satkd_context context;
  static unsigned char image[SATKD_ROWS * SATKD_ROW_BYTES];
  static int8_t outputs[SATKD_OUTPUTS];
  if (satkd_verify() != SATKD_OK) return 3;
  while (fread(image, sizeof image, 1, stdin) == 1) {
    if (satkd_run(&context, (const void *)image, outputs) != SATKD_OK) return 4;
    if (fwrite(outputs, sizeof outputs, 1, stdout) != 1) return 5;
  }
  return 0;
}
