#include <stdio.h>

#include "{{ prefix }}_model.h"

/* Reads images from standard input until it ends and writes the outputs of each; exit code 3 if the constants are not
   what they were. */
int main(void) {
  static {{ prefix }}_context context;
  static unsigned char image[{{ macros }}_ROWS * {{ macros }}_ROW_BYTES];
  static int8_t outputs[{{ macros }}_OUTPUTS];
  if ({{ prefix }}_verify() != SATKD_OK) return 3;
  while (fread(image, sizeof image, 1, stdin) == 1) {
    if ({{ prefix }}_run(&context, sizeof context, (const void *)image, outputs) != SATKD_OK) return 4;
    if (fwrite(outputs, sizeof outputs, 1, stdout) != 1) return 5;
  }
  return 0;
}
