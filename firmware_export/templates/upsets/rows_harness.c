/* Flips bits in the memory of an exported row engine on this host, and writes what came of each flip.

     rows_harness layout
     rows_harness run INPUTS PLAN JOURNAL

   INPUTS: the images, one after the other. PLAN: a line `NUMBER IMAGE MOMENT MEMORY BYTE BIT` for each flip; MOMENT is b
   (before the image), rN (before row N; N is the number of rows: before the end) or sN (as the N-th step of a layer begins);
   MEMORY is c (constants) or x (context). JOURNAL gets a line `NUMBER OUTCOME FOUND` for each.

   It uses the public functions of a model and, to interrupt a row between two layers, the linker's --wrap for
   satkd_engine_compute, so it needs no change of the engine. The context lies before a region without access; damage of the
   few bytes before it is an outcome. A child process makes the flips; if one kills it, the parent forks the next child from
   the same memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "{{ prefix }}_model.c"

enum { OUTPUTS = {{ macros }}_OUTPUTS, ROWS = {{ macros }}_ROWS, ROW_BYTES = {{ macros }}_ROW_BYTES };
enum { CONSTANTS = {{ macros }}_CONSTANTS_BYTES, CONTEXT = {{ macros }}_CONTEXT_BYTES_PORTABLE };
enum { MASKED, DIFFERS, WRONG, REFUSED, CRASH, HANG };
static const size_t GUARD = (size_t)1 << 33, SNAPSHOTS = (size_t)128 << 20;

static {{ prefix }}_context *context;
static uint8_t *bytes_of_context, *before_context;
static size_t bytes_before;
static uint8_t *volatile constants; /* volatile: the compiler may not assume that constants stay what they are */
static uint8_t pristine[CONSTANTS];

/* ---- Steps of layers ---- */

int __real_satkd_engine_compute(const satkd_engine_model *model, void *memory, const satkd_engine_layer *layer, uint32_t step);
int __wrap_satkd_engine_compute(const satkd_engine_model *model, void *memory, const satkd_engine_layer *layer, uint32_t step);

static long steps_done, flip_at = -1; /* steps of layers since the image began; the one before which a bit flips */
static uint8_t *flip_byte;
static unsigned flip_bit;
static int is_listing, row_in_progress;

static void flip(void) { *(volatile uint8_t *)flip_byte ^= (uint8_t)(1u << flip_bit); }

static long work(const satkd_engine_layer *layer) {
  long outputs = (long)layer->width_out * layer->channels_out;
  if (layer->kind == SATKD_ENGINE_CONVOLUTION) outputs *= layer->channels_in;
  if (layer->weights != 0) outputs *= (long)layer->kernel_height * layer->kernel_width;
  return outputs;
}

/* Number of the layer, from 1, whose step is next. The engine computes with a copy of the layer. */
static unsigned layer_in_progress(const satkd_engine_model *model, const void *memory) {
  const uint8_t *entry = (const uint8_t *)model + model->schedule;
  entry += ((const satkd_engine_state *)memory)->position * model->schedule_bytes;
  return model->schedule_bytes == 1 ? entry[0] : entry[0] | (unsigned)entry[1] << 8;
}

int __wrap_satkd_engine_compute(const satkd_engine_model *model, void *memory, const satkd_engine_layer *layer, uint32_t step) {
  if (is_listing) printf("step %d %u %ld\n", row_in_progress, layer_in_progress(model, memory), work(layer));
  if (steps_done++ == flip_at) flip();
  return __real_satkd_engine_compute(model, memory, layer, step);
}

/* ---- Memory ---- */

static void *reserve(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) exit(3);
  return memory;
}

static void prepare(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (CONTEXT + page - 1) / page * page;
  uint8_t *start = (uint8_t *)reserve(used + 2 * GUARD) + GUARD;
  if (mprotect(start, used, PROT_READ | PROT_WRITE) != 0) exit(3);
  before_context = start;
  bytes_before = used - CONTEXT;
  bytes_of_context = start + bytes_before;
  context = (void *)bytes_of_context;
  constants = (uint8_t *){{ prefix }}_constants_start();
  const uintptr_t first = (uintptr_t)constants / page * page;
  const size_t length = (uintptr_t)constants + CONSTANTS - first;
  if (mprotect((void *)first, length, PROT_READ | PROT_WRITE) != 0) exit(3);
  memcpy(pristine, constants, CONSTANTS);
  if ({{ prefix }}_verify() != SATKD_OK) exit(4);
}

static int is_damaged_before(void) {
  for (size_t i = 0; i < bytes_before; ++i) {
    if (before_context[i] != 0x5a) return 1;
  }
  return 0;
}

/* ---- Images ---- */

typedef struct golden {
  const {{ input_type }} *rows;
  int8_t outputs[OUTPUTS];
  long steps[ROWS + 1]; /* done before a row */
} golden;

static golden *images;
static uint8_t *snapshots; /* the context before row 0, every, 2 * every, ... of each image */
static int every = 1, per_image;

static uint8_t *snapshot(long image, int row) { return snapshots + ((size_t)image * per_image + (size_t)(row / every)) * CONTEXT; }

static int largest(const int8_t *outputs) {
  int found = 0;
  for (int i = 1; i < OUTPUTS; ++i) found = outputs[i] > outputs[found] ? i : found;
  return found;
}

static int begin(void) { return {{ prefix }}_begin(context, CONTEXT); }
static int push(const golden *image, int row) { return {{ prefix }}_push_row(context, image->rows + (size_t)row * ROW_BYTES); }

static long read_images(const char *name) {
  FILE *file = fopen(name, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(3);
  const size_t size = (size_t)ftell(file), each = (size_t)ROWS * ROW_BYTES;
  uint8_t *all = malloc(size);
  rewind(file);
  if (all == NULL || size % each != 0 || fread(all, 1, size, file) != size) exit(3);
  fclose(file);
  const long count = (long)(size / each);
  images = calloc((size_t)count, sizeof *images);
  while ((size_t)count * (ROWS / every + 1) * CONTEXT > SNAPSHOTS && every < ROWS) ++every;
  per_image = ROWS / every + 1;
  snapshots = malloc((size_t)count * (size_t)per_image * CONTEXT);
  if (images == NULL || snapshots == NULL) exit(3);
  for (long i = 0; i < count; ++i) {
    golden *image = &images[i];
    image->rows = (const void *)(all + (size_t)i * each);
    int status = begin();
    steps_done = 0;
    for (int row = 0; row <= ROWS && status == SATKD_OK; ++row) {
      image->steps[row] = steps_done;
      if (row % every == 0) memcpy(snapshot(i, row), bytes_of_context, CONTEXT);
      status = row < ROWS ? push(image, row) : {{ prefix }}_finish(context, image->outputs);
    }
    if (status != SATKD_OK) exit(4);
  }
  return count;
}

/* ---- Flips ---- */

typedef struct injection {
  long number, image, at, byte;
  char moment, memory;
  unsigned bit;
} injection;

static int run(const injection *given) {
  const golden *image = &images[given->image];
  int8_t outputs[OUTPUTS];
  int row = 0, status = SATKD_OK;
  flip_byte = (given->memory == 'c' ? constants : bytes_of_context) + given->byte;
  flip_bit = given->bit;
  flip_at = -1;
  if (given->moment == 'b') {
    if (given->memory == 'c') flip();
    status = begin();
    if (given->memory == 'x') flip();
  } else {
    int target = given->moment == 'r' ? (int)given->at : 0;
    while (given->moment == 's' && target < ROWS && image->steps[target + 1] <= given->at) ++target;
    row = target / every * every;
    memcpy(bytes_of_context, snapshot(given->image, row), CONTEXT);
    for (steps_done = image->steps[row]; row < target; ++row) (void)push(image, row);
    if (given->moment == 'r') flip();
    else flip_at = given->at;
  }
  if (given->moment == 'b') steps_done = 0;
  const int first = row;
  while (row < ROWS && status == SATKD_OK) {
    status = push(image, row++);
    const int is_same = given->memory == 'x' && row > first && row % every == 0 && status == SATKD_OK &&
                        memcmp(bytes_of_context, snapshot(given->image, row), CONTEXT) == 0;
    if (is_same) return MASKED; /* nothing else is remembered, so the rest is the same */
  }
  if (status == SATKD_OK) status = {{ prefix }}_finish(context, outputs);
  if (status != SATKD_OK) return REFUSED;
  if (memcmp(outputs, image->outputs, OUTPUTS) == 0) return MASKED;
  return largest(outputs) == largest(image->outputs) ? DIFFERS : WRONG;
}

static void note(int journal, long number, int outcome, int is_found) {
  if (dprintf(journal, "%ld %d %d\n", number, outcome, is_found) > 0) return;
  fputs("error: the journal cannot be written: is the disk full?\n", stderr);
  _exit(3);
}

static void limit_time(const struct timeval *limit) {
  const struct itimerval timer = {.it_value = *limit};
  setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

static void work_off(const injection *plan, long count, long *next, int journal, const struct timeval *limit) {
  for (; *next < count; ++*next) {
    const injection *given = &plan[*next];
    memset(before_context, 0x5a, bytes_before);
    limit_time(limit);
    int outcome = run(given);
    if (is_damaged_before()) outcome = CRASH;
    const int is_found = given->memory == 'c' && {{ prefix }}_verify() != SATKD_OK;
    limit_time(&(struct timeval){0, 0});
    memcpy(constants, pristine, CONSTANTS);
    note(journal, given->number, outcome, is_found);
  }
}

static injection *read_plan(const char *name, long *count) {
  FILE *file = fopen(name, "r");
  injection *plan = NULL, one;
  char moment[24];
  if (file == NULL) exit(3);
  for (*count = 0; fscanf(file, "%ld %ld %23s %c %ld %u", &one.number, &one.image, moment, &one.memory, &one.byte, &one.bit) == 6;) {
    one.moment = moment[0];
    one.at = atol(moment + 1);
    if (*count % 1024 == 0) plan = realloc(plan, (size_t)(*count + 1024) * sizeof *plan);
    if (plan == NULL) exit(3);
    plan[(*count)++] = one;
  }
  fclose(file);
  return plan;
}

static int inject(char **names) {
  struct rusage used;
  long count;
  const long inputs = read_images(names[0]);
  getrusage(RUSAGE_SELF, &used);
  const struct timeval limit = {2 + 20 * (used.ru_utime.tv_sec + 1) / inputs, 0};
  injection *plan = read_plan(names[1], &count);
  const int journal = open(names[2], O_WRONLY | O_CREAT | O_APPEND, 0644);
  long *next = mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (journal < 0 || next == MAP_FAILED) return 3;
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  while (*next < count) {
    int status;
    const pid_t child = fork();
    if (child < 0) return 3;
    if (child == 0) {
      work_off(plan, count, next, journal, &limit);
      _exit(0);
    }
    if (waitpid(child, &status, 0) != child) return 3;
    if (WIFSIGNALED(status)) {
      const int signal_number = WTERMSIG(status), is_hang = signal_number == SIGVTALRM;
      if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGKILL) return 3;
      note(journal, plan[*next].number, is_hang ? HANG : CRASH, plan[*next].memory == 'c');
      ++*next;
    } else if (WEXITSTATUS(status) != 0) {
      return WEXITSTATUS(status);
    }
  }
  return 0;
}

/* ---- Layout ---- */

#define MEMBER(memory, type, name) \
  printf(memory " " #name " %zu %zu %zu\n", offsetof(type, name), sizeof(((type *)0)->name), sizeof(((type *)0)->name[0]))
#define STRUCTURE(memory, type, name) printf(memory " " #name " %zu %zu 4\n", offsetof(type, name), sizeof(((type *)0)->name))

static void layout(void) {
{% for name in constants %}
  {{ "STRUCTURE" if name in ("model", "layers", "fills") else "MEMBER" }}("constants", {{ prefix }}_constants_t, {{ name }});
{% endfor %}
{% for name in members %}
  {{ "STRUCTURE" if name == "state" else "MEMBER" }}("context", {{ prefix }}_context, {{ name }});
{% endfor %}
  printf("bytes %d %d\nimage %d %d\n", CONSTANTS, CONTEXT, ROWS, ROW_BYTES);
  for (size_t i = 0; i < sizeof {{ prefix }}_constants.layers / sizeof *{{ prefix }}_constants.layers; ++i) {
    printf("layer %zu %lu\n", i + 1, (unsigned long){{ prefix }}_constants.layers[i].out.start);
  }
  static {{ input_type }} dark[ROW_BYTES];
  is_listing = 1;
  int status = begin();
  for (row_in_progress = 0; row_in_progress < ROWS && status == SATKD_OK; ++row_in_progress) status = {{ prefix }}_push_row(context, dark);
  if (status != SATKD_OK) exit(4);
}

int main(int count, char **words) {
  prepare();
  if (count == 5 && strcmp(words[1], "run") == 0) return inject(words + 2);
  if (count != 2 || strcmp(words[1], "layout") != 0) return 2;
  layout();
  return 0;
}
