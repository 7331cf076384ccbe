/* vkdet_worker: vkdet as one of the engines that peers.py times in turn. It does what it is told, a
 * line at a time, and sleeps between:
 *
 *     vkdet_worker MODEL DEVICE PRECISION THREADS TENSOR [BATCH [SLOTS]]
 *
 *     outputs FILE      one forward; all raw outputs, one behind the other, as floats into FILE, of
 *                       the batch's last picture; answers how many floats each has
 *     run SECONDS       forwards for that long, after one that is not counted; answers their
 *                       nanoseconds in one line
 *     resident SECONDS  for that long what lies on the device is computed back to back, nothing
 *                       moves; answers the nanoseconds a batch of several stretches
 *
 * TENSOR holds the network's input as floats; a batch is made of BATCH copies. Each answer ends in
 * a newline; "error ..." when it failed. A forward here is all that vkdet does: the tensor goes to
 * the device, and boxes come back; the peers stop at the raw outputs. */
#include "vkdet.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct worker {
    vkdet_context *context;
    vkdet_model *model;
    vkdet_session *timed, *kept; /* kept: with raw outputs, for `outputs` alone */
    vkdet_model_info info;
    vkdet_pixels *batch; /* `count` times the tensor */
    uint32_t count, slots;
    float *data;
} worker;

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool complain(const char *what)
{
    printf("error %s\n", what);
    (void)fflush(stdout);
    return false;
}

static bool read_tensor(worker *w, const char *path)
{
    const vkdet_model_info *m = &w->info;
    const size_t count = (size_t)m->input_width * m->input_height * m->input_channels;
    FILE *file = fopen(path, "rb");
    w->data = malloc(count * sizeof *w->data);
    const bool good = file && w->data && fread(w->data, sizeof *w->data, count, file) == count &&
                      fgetc(file) == EOF;
    if (file) {
        (void)fclose(file);
    }
    w->batch = calloc(w->count, sizeof *w->batch);
    for (uint32_t i = 0; w->batch && i < w->count; i++) {
        w->batch[i] = (vkdet_pixels){.format = VKDET_PIXEL_TENSOR_F32,
                                     .width = m->input_width,
                                     .height = m->input_height,
                                     .data = w->data};
    }
    return good && w->batch;
}

static bool open_all(worker *w, char **arguments)
{
    vkdet_session_params params = {
        .device = arguments[1], .max_batch = w->count, .slots = w->slots};
    params.threads = (uint32_t)strtoul(arguments[3], NULL, 10);
    if (vkdet_precision_from_name(arguments[2], &params.precision) != VKDET_OK ||
        vkdet_context_create(NULL, &w->context) != VKDET_OK ||
        vkdet_model_open(w->context, arguments[0], &w->model) != VKDET_OK) {
        return complain(vkdet_error_message());
    }
    vkdet_model_info_get(w->model, &w->info);
    if (!read_tensor(w, arguments[4])) {
        return complain("the tensor is not of the network's input size");
    }
    if (vkdet_session_create(w->context, w->model, &params, &w->timed) != VKDET_OK) {
        return complain(vkdet_error_message());
    }
    params.keep_outputs = 1;
    if (vkdet_session_create(w->context, w->model, &params, &w->kept) != VKDET_OK) {
        return complain(vkdet_error_message());
    }
    vkdet_device_info device;
    vkdet_session_device(w->timed, &device);
    printf("ready %s (%s) %s\n", device.name, device.driver,
           vkdet_precision_name(vkdet_session_precision(w->timed)));
    return fflush(stdout) == 0;
}

static bool forward(vkdet_session *session, const worker *w)
{
    const vkdet_result *result = NULL;
    return vkdet_session_detect(session, w->batch, w->count, NULL, &result) == VKDET_OK ||
           complain(vkdet_error_message());
}

static bool write_outputs(const worker *w, const char *path)
{
    if (!forward(w->kept, w)) {
        return false;
    }
    FILE *file = fopen(path, "wb");
    bool good = file != NULL;
    const uint32_t last = w->count - 1;
    size_t counts[64] = {0};
    good = good && w->info.output_count <= sizeof counts / sizeof counts[0];
    for (uint32_t i = 0; good && i < w->info.output_count; i++) {
        size_t count = 0, again = 0;
        good = vkdet_session_output(w->kept, 0, last, i, NULL, 0, &count) == VKDET_OK;
        float *floats = good ? malloc(count * sizeof *floats) : NULL;
        good = floats &&
               vkdet_session_output(w->kept, 0, last, i, floats, count, &again) == VKDET_OK &&
               fwrite(floats, sizeof *floats, count, file) == count;
        free(floats);
        counts[i] = count;
    }
    if (file && fclose(file) != 0) {
        good = false;
    }
    if (!good) {
        return complain("the outputs could not be written");
    }
    printf("ok");
    for (uint32_t i = 0; i < w->info.output_count; i++) {
        printf(" %zu", counts[i]);
    }
    printf("\n");
    return fflush(stdout) == 0;
}

static bool run(const worker *w, double seconds)
{
    if (!forward(w->timed, w)) {
        return false;
    }
    const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t before = now_ns();
    do {
        if (!forward(w->timed, w)) {
            return false;
        }
        const uint64_t after = now_ns();
        printf("%llu ", (unsigned long long)(after - before));
        before = now_ns(); /* what printing took is nobody's */
    } while (before < end);
    printf("\n");
    return fflush(stdout) == 0;
}

static bool repeat(const worker *w, uint32_t runs, uint64_t *ns)
{
    return vkdet_session_repeat(w->timed, w->batch, w->count, NULL, runs, ns) == VKDET_OK ||
           complain(vkdet_error_message());
}

/* A stretch is as many batches as take a tenth of the time, and no fewer than there are slots. */
static bool run_resident(const worker *w, double seconds)
{
    uint32_t runs = w->slots;
    uint64_t ns = 0;
    bool good = repeat(w, runs, &ns);
    while (good && 1e-9 * (double)ns < seconds / 10 && runs <= UINT32_MAX / 2) {
        runs *= 2;
        good = repeat(w, runs, &ns);
    }
    const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    do {
        good = good && repeat(w, runs, &ns);
        if (good) {
            printf("%llu ", (unsigned long long)(ns / runs));
        }
    } while (good && now_ns() < end);
    printf("\n");
    return fflush(stdout) == 0 && good;
}

/* A number of pictures or slots; the library says how many it takes. */
static bool read_count(const char *text, uint32_t *out)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    *out = (uint32_t)value;
    return end != text && *end == 0 && value > 0 && value <= 4096;
}

int main(int argc, char **argv)
{
    worker w = {.count = 1, .slots = 1};
    char line[4096];
    if (argc < 6 || argc > 8 || (argc > 6 && !read_count(argv[6], &w.count)) ||
        (argc > 7 && !read_count(argv[7], &w.slots))) {
        (void)fputs("usage: vkdet_worker MODEL DEVICE PRECISION THREADS TENSOR [BATCH [SLOTS]]\n",
                    stderr);
        return 2;
    }
    bool good = open_all(&w, argv + 1);
    while (good && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "run ", 4) == 0) {
            good = run(&w, strtod(line + 4, NULL));
        } else if (strncmp(line, "resident ", 9) == 0) {
            good = run_resident(&w, strtod(line + 9, NULL));
        } else if (strncmp(line, "outputs ", 8) == 0) {
            good = write_outputs(&w, line + 8);
        } else {
            good = complain("no such command");
        }
    }
    vkdet_session_destroy(w.kept);
    vkdet_session_destroy(w.timed);
    vkdet_model_destroy(w.model);
    vkdet_context_destroy(w.context);
    free(w.batch);
    free(w.data);
    return good ? 0 : 1;
}
