/* Runs a network on pictures and prints, a line each: SysTick's count for every inference, wrong outputs, bytes of stack
 * that were written below main's, bytes of working memory. */
#include <stddef.h>
#include <stdint.h>

#include "network.h"

/* network.h, from the bench:
     enum { IMAGES, INPUTS, OUTPUTS, WORKING_BYTES };
     static const uint8_t images[IMAGES][INPUTS]; static const int8_t expected[IMAGES][OUTPUTS];
     static void infer(const uint8_t *image, int8_t *out); */

void write_text(const char *text);

#define SYST_CSR (*(volatile uint32_t *)0xe000e010u)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014u)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018u)

enum { STACK = 16384, PAINT = 0x5a };

static void print(const char *name, uint32_t value) {
  char digits[12];
  char *to = digits + sizeof digits - 1;
  *to = 0;
  do *--to = (char)('0' + value % 10u);
  while ((value /= 10u) != 0);
  write_text(name);
  write_text(" ");
  write_text(to);
  write_text("\n");
}

/* The stack grows downwards, into memory that nothing else uses. */
static volatile uint8_t *stack_below(void) {
  uint32_t pointer;
  __asm__ volatile("mov %0, sp" : "=r"(pointer));
  return (volatile uint8_t *)(uintptr_t)(pointer - STACK);
}

static uint32_t ticks_of(const uint8_t *image, int8_t *out) {
  SYST_CVR = 0; /* any write clears it: it counts down from SYST_RVR */
  const uint32_t before = SYST_CVR;
  infer(image, out);
  const uint32_t after = SYST_CVR;
  return (before - after) & 0xffffffu;
}

int main(void) {
  static int8_t out[OUTPUTS];
  uint32_t wrong = 0, stack = 0;
  SYST_RVR = 0xffffffu;
  SYST_CSR = 5; /* the processor's clock, no interrupt */
  volatile uint8_t *below = stack_below();
  for (int i = 0; i < STACK - 64; ++i) below[i] = PAINT;
  for (int image = 0; image < IMAGES; ++image) {
    print("ticks", ticks_of(images[image], out));
    for (int i = 0; i < OUTPUTS; ++i) wrong += out[i] != expected[image][i];
  }
  while (stack < STACK && below[stack] == PAINT) ++stack;
  print("wrong", wrong);
  print("stack", STACK - stack);
  print("working_bytes", WORKING_BYTES);
  return wrong != 0;
}
