/* Row kernels against plain int64 arithmetic, with random weights and codes. Prints one line a kernel: `ok` or `FAILED`. */
#include <stddef.h>
#include <stdint.h>

#include "satkd_engine_kernels.c"
#include "layers.h" /* the sizes of the arrays below, and a layer a line: layers[LAYERS] */

void write_text(const char *text);

enum { ADDITIONS = 400, GUARD = 64 };

static uint32_t state = SEED;

/* xorshift32, by Marsaglia. */
static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % below;
}

static int between(int lowest, int highest) { return lowest + (int)draw((uint32_t)(highest - lowest + 1)); }

/* Uniform, or extreme: sums of nothing but -128 * -127 are the largest there are. */
static void fill(int8_t *codes, int count, int lowest) {
  const int is_extreme = draw(8) == 0;
  for (int i = 0; i < count; ++i) codes[i] = (int8_t)(is_extreme ? lowest : between(lowest, 127));
}

/* ---- TFLM's arithmetic, by its definition: divisions of 64-bit numbers, no shifts ---- */

static int64_t divide_rounding_away(int64_t x, int64_t by) {
  return x >= 0 ? (2 * x + by) / (2 * by) : -((-2 * x + by) / (2 * by));
}

static int64_t high_product(int64_t a, int64_t b) {
  const int64_t product = a * b, nudged = product + (product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30));
  return nudged / ((int64_t)1 << 31);
}

static int64_t requantize(int64_t x, int32_t multiplier, int shift) {
  if (shift >= 0) return high_product(x * ((int64_t)1 << shift), multiplier);
  return divide_rounding_away(high_product(x, multiplier), (int64_t)1 << -shift);
}

static int8_t clamp(int64_t x, int64_t lowest, int64_t highest) {
  return (int8_t)(x < lowest ? lowest : x > highest ? highest : x);
}

/* ---- Layers ---- */

static int8_t inputs[KERNEL_HEIGHT][ROW], weights[WEIGHTS + GUARD], out[ROW + 2 * GUARD], shift[CHANNELS];
static int32_t bias[CHANNELS], multiplier[CHANNELS], scratch[SCRATCH / 4 + GUARD];
static int failures;

static void report(const char *name, int mismatches) {
  write_text(mismatches ? "FAILED " : "ok ");
  write_text(name);
  write_text("\n");
  failures += mismatches;
}

/* Multipliers as QuantizeMultiplier makes them; now and then one that halves exactly, or is above one. */
static void draw_multiplier(int32_t *factor, int8_t *exponent, int least) {
  *factor = draw(6) == 0 ? 1 << 30 : (int32_t)((1u << 30) + draw(1u << 30));
  *exponent = (int8_t)(draw(12) == 0 ? between(-31, 3) : between(least, -1));
}

static void draw_range(int32_t *lowest, int32_t *highest) {
  *lowest = draw(2) ? -128 : between(-128, 20);
  *highest = draw(2) ? 127 : between(21, 127);
}

/* Of a layer, as describe.py finds it. */
static uint32_t find_right_shifts(int channels) {
  int least = 0, most = -31, are_equal = 1;
  for (int c = 0; c < channels; ++c) {
    least = shift[c] < least ? shift[c] : least, most = shift[c] > most ? shift[c] : most;
    are_equal = are_equal && shift[c] == shift[0] && multiplier[c] == multiplier[0];
  }
  if (most >= 0 || least < -22) return most >= 0 ? 0 : 1;
  return are_equal ? SATKD_ENGINE_EQUAL_RIGHT_SHIFTS : SATKD_ENGINE_SMALL_RIGHT_SHIFTS;
}

static int count_conv_mismatches(int number) {
  const int kernel_height = layers[number].kernel_height, kernel_width = layers[number].kernel_width;
  const int channels_in = layers[number].channels_in, channels_out = layers[number].channels_out;
  const int stride = layers[number].stride, width_out = layers[number].width_out;
  const int depth = kernel_height * kernel_width * channels_in, columns = (width_out - 1) * stride + kernel_width;
  const int scratch_words = layers[number].scratch_bytes / 4;
  const int32_t zero_point = between(-128, 127);
  const int is_plain = draw(2) != 0; /* as most layers are: all outputs in range, all shifts to the right */
  int32_t lowest = -128, highest = 127;
  if (!is_plain) draw_range(&lowest, &highest);

  const int8_t *rows[KERNEL_HEIGHT];
  for (int ky = 0; ky < kernel_height; ++ky) {
    /* Ends at the array's end and begins anywhere: a read past a row's end meets random codes, too. */
    int8_t *row = inputs[ky] + ROW - columns * channels_in;
    fill(row, columns * channels_in, -128);
    rows[ky] = row;
  }
  fill(weights, channels_out * depth, -127);
  for (int c = 0; c < channels_out; ++c) {
    bias[c] = between(-100000, 100000) * (draw(10) == 0 ? 1000 : 1);
    draw_multiplier(&multiplier[c], &shift[c], -16);
    if (is_plain) shift[c] = (int8_t)between(-22, -1);
    if (draw(8) == 0) { /* a sum so small that a multiplier near one does not saturate */
      for (int i = 0; i < depth; ++i) weights[c * depth + i] = 0;
      bias[c] = between(-300, 300);
      shift[c] = (int8_t)between(-3, is_plain ? -1 : 2);
    }
  }
  if (is_plain && draw(3) == 0) { /* as where weights have one scale */
    for (int c = 1; c < channels_out; ++c) multiplier[c] = multiplier[0], shift[c] = shift[0];
  }
  const int has_large_sums = is_plain && draw(5) == 0;
  if (has_large_sums) {
    for (int c = 0; c < channels_out; ++c) {
      if (draw(4) == 0) bias[c] = (draw(2) ? 1 : -1) * (INT32_MAX - 16384 * depth);
    }
  }
  const uint32_t has_right_shifts = find_right_shifts(channels_out);
  for (int i = 0; i < ROW + 2 * GUARD; ++i) out[i] = 99;
  for (int i = 0; i < scratch_words + GUARD; ++i) scratch[i] = 0x5a5a5a5a;
  const satkd_engine_layer layer = {
      .channels_in = channels_in,
      .width_out = width_out,
      .channels_out = channels_out,
      .kernel_height = kernel_height,
      .kernel_width = kernel_width,
      .stride_width = stride,
      .zero_point_out = zero_point,
      .lowest = lowest,
      .highest = highest,
      .has_right_shifts = has_right_shifts,
      .has_fast_sums = has_large_sums ? SATKD_ENGINE_SOME_FAST_SUMS : 1u,
  };
  const satkd_weights constants = {weights, bias, multiplier, shift};
  satkd_window window = {{NULL}, NULL, NULL, NULL, 0, kernel_height, 1};
  for (int ky = 0; ky < kernel_height; ++ky) window.rows[ky] = rows[ky];
  satkd_conv_row(&layer, &constants, &window, out + GUARD, scratch);

  int mismatches = 0;
  for (int x = 0; x < width_out; ++x) {
    for (int c = 0; c < channels_out; ++c) {
      int64_t sum = bias[c];
      for (int ky = 0; ky < kernel_height; ++ky) {
        for (int i = 0; i < kernel_width * channels_in; ++i) {
          sum += rows[ky][x * stride * channels_in + i] * weights[(c * kernel_height + ky) * kernel_width * channels_in + i];
        }
      }
      const int8_t expected = clamp(requantize(sum, multiplier[c], shift[c]) + zero_point, lowest, highest);
      mismatches += out[GUARD + x * channels_out + c] != expected;
    }
  }
  for (int i = 0; i < GUARD; ++i) mismatches += out[i] != 99 || out[GUARD + width_out * channels_out + i] != 99;
  for (int i = scratch_words; i < scratch_words + GUARD; ++i) mismatches += scratch[i] != 0x5a5a5a5a;
  return mismatches;
}

static int count_depthwise_mismatches(int number) {
  const int kernel_height = layers[number].kernel_height, kernel_width = layers[number].kernel_width;
  /* Layers make each channel of its own input, or all of one, or two of each. */
  const int kind = between(0, 5), times = kind == 0 ? between(1, CHANNELS) : kind == 1 ? 2 : 1;
  const int channels_in = kind == 0 ? 1 : layers[number].channels_in * times <= CHANNELS ? layers[number].channels_in : CHANNELS / times;
  const int channels = channels_in * times;
  const int stride = layers[number].stride, width_out = layers[number].width_out;
  const int taps = kernel_height * kernel_width, columns = (width_out - 1) * stride + kernel_width;
  const int32_t zero_point = between(-128, 127);
  const int is_plain = draw(2) != 0;
  int32_t lowest = -128, highest = 127;
  if (!is_plain) draw_range(&lowest, &highest);
  satkd_window window = {{NULL}, NULL, NULL, NULL, 0, kernel_height, 1};
  for (int ky = 0; ky < kernel_height; ++ky) {
    int8_t *row = inputs[ky] + ROW - columns * channels_in;
    fill(row, columns * channels_in, -128);
    window.rows[ky] = row;
  }
  fill(weights, taps * channels, -127);
  const int has_large_sums = draw(5) == 0;
  for (int c = 0; c < channels; ++c) {
    bias[c] = between(-100000, 100000) * (draw(10) == 0 ? 1000 : 1);
    draw_multiplier(&multiplier[c], &shift[c], -16);
    if (shift[c] >= 0) { /* a sum so small that a multiplier near one does not saturate */
      for (int i = 0; i < taps; ++i) weights[i * channels + c] = 0;
      bias[c] = between(-300, 300);
      shift[c] = (int8_t)(is_plain ? -1 : between(0, 2));
    }
    if (has_large_sums && draw(4) == 0 && shift[c] < 0) bias[c] = (draw(2) ? 1 : -1) * (INT32_MAX - 16384 * taps);
  }
  const uint32_t has_right_shifts = find_right_shifts(channels);
  for (int i = 0; i < ROW + 2 * GUARD; ++i) out[i] = 99;
  const satkd_engine_layer layer = {
      .channels_in = channels_in,
      .width_out = width_out,
      .channels_out = channels,
      .kernel_height = kernel_height,
      .kernel_width = kernel_width,
      .stride_width = stride,
      .zero_point_out = zero_point,
      .lowest = lowest,
      .highest = highest,
      .has_right_shifts = has_right_shifts,
      .has_fast_sums = has_large_sums ? SATKD_ENGINE_SOME_FAST_SUMS : (draw(8) != 0),
  };
  const satkd_weights constants = {weights, bias, multiplier, shift};
  satkd_depthwise_row(&layer, &constants, &window, out + GUARD);
  int mismatches = 0;
  for (int x = 0; x < width_out; ++x) {
    for (int c = 0; c < channels; ++c) {
      int64_t sum = bias[c];
      for (int ky = 0; ky < kernel_height; ++ky) {
        for (int i = 0; i < kernel_width; ++i) {
          sum += window.rows[ky][(x * stride + i) * channels_in + c / times] * weights[(ky * kernel_width + i) * channels + c];
        }
      }
      const int8_t expected = clamp(requantize(sum, multiplier[c], shift[c]) + zero_point, lowest, highest);
      mismatches += out[GUARD + x * channels + c] != expected;
    }
  }
  for (int i = 0; i < GUARD; ++i) mismatches += out[i] != 99 || out[GUARD + width_out * channels + i] != 99;
  return mismatches;
}

static int count_add_mismatches(int number) {
  (void)number;
  const int count = between(1, 200);
  int32_t factor_a, factor_b, factor, lowest, highest;
  int8_t shift_a, shift_b, exponent;
  draw_multiplier(&factor_a, &shift_a, -6);
  draw_multiplier(&factor_b, &shift_b, -6);
  draw_multiplier(&factor, &exponent, -20);
  /* One of both is a half, and neither is larger; the output may be scaled up. */
  if (shift_a > 0 || draw(2)) factor_a = 1 << 30, shift_a = 0;
  if (shift_b > 0 || shift_a < 0) factor_b = 1 << 30, shift_b = 0;
  const int32_t zero_point_a = between(-128, 127), zero_point_b = between(-128, 127), zero_point = between(-128, 127);
  draw_range(&lowest, &highest);
  fill(inputs[0], count, -128);
  fill(inputs[1], count, -128);
  for (int i = 0; i < ROW; ++i) inputs[2][i] = inputs[0][i], out[i] = 99;
  /* In place half of the time. */
  int8_t *to = draw(2) ? out : inputs[0];
  const satkd_engine_layer layer = {
      .width_out = count,
      .channels_out = 1,
      .zero_point_in = zero_point_a,
      .zero_point_other = zero_point_b,
      .zero_point_out = zero_point,
      .lowest = lowest,
      .highest = highest,
      .scale_in = {factor_a, shift_a},
      .scale_other = {factor_b, shift_b},
      .scale_out = {factor, exponent},
  };
  satkd_add_row(&layer, inputs[0], inputs[1], to);
  int mismatches = 0;
  for (int i = 0; i < count; ++i) {
    const int64_t sum = requantize((inputs[2][i] - zero_point_a) * (1 << 20), factor_a, shift_a) +
                        requantize((inputs[1][i] - zero_point_b) * (1 << 20), factor_b, shift_b);
    mismatches += to[i] != clamp(requantize(sum, factor, exponent) + zero_point, lowest, highest);
  }
  return mismatches + (to == out && out[count] != 99);
}

static void check(const char *name, int (*count_mismatches)(int), int count) {
  int mismatches = 0;
  for (int i = 0; i < count; ++i) mismatches += count_mismatches(i);
  report(name, mismatches);
}

int main(void) {
  for (int ky = 0; ky < KERNEL_HEIGHT; ++ky) {
    for (int i = 0; i < ROW; ++i) inputs[ky][i] = (int8_t)between(-128, 127);
  }
  check("convolution rows", count_conv_mismatches, LAYERS);
  check("depthwise rows", count_depthwise_mismatches, LAYERS);
  check("addition rows", count_add_mismatches, ADDITIONS);
  return failures != 0;
}
