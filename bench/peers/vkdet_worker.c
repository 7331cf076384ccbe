/* vkdet_worker: vkdet as one of the engines that peers.py times in turn. It does what it is told, a
 * line at a time, and sleeps between:
 *
 *     vkdet_worker MODEL DEVICE PRECISION THREADS TENSOR
 *
 *     outputs FILE     one forward; all raw outputs, one behind the other, as floats into FILE;
 *                      answers how many floats each has
 *     run SECONDS      forwards for that long, after one that is not counted; answers their
 *                      nanoseconds in one line
 *
 * TENSOR holds the network's input as floats. Each answer ends in a newline; "error ..." when it
 * failed. A forward here is all that vkdet does: the tensor goes to the device, and boxes come
 * back; the peers stop at the raw outputs. */
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
    vkdet_pixels tensor;
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
    w->tensor = (vkdet_pixels){VKDET_PIXEL_TENSOR_F32, m->input_width, m->input_height, 0, w->data};
    return good;
}

static bool open_all(worker *w, char **arguments)
{
    vkdet_session_params params = {.device = arguments[1], .slots = 1};
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
    return vkdet_session_detect(session, &w->tensor, 1, NULL, &result) == VKDET_OK ||
           complain(vkdet_error_message());
}

static bool write_outputs(const worker *w, const char *path)
{
    if (!forward(w->kept, w)) {
        return false;
    }
    FILE *file = fopen(path, "wb");
    bool good = file != NULL;
    size_t counts[64] = {0};
    good = good && w->info.output_count <= sizeof counts / sizeof counts[0];
    for (uint32_t i = 0; good && i < w->info.output_count; i++) {
        size_t count = 0, again = 0;
        good = vkdet_session_output(w->kept, 0, 0, i, NULL, 0, &count) == VKDET_OK;
        float *floats = good ? malloc(count * sizeof *floats) : NULL;
        good = floats &&
               vkdet_session_output(w->kept, 0, 0, i, floats, count, &again) == VKDET_OK &&
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

int main(int argc, char **argv)
{
    worker w = {0};
    char line[4096];
    if (argc != 6) {
        (void)fputs("usage: vkdet_worker MODEL DEVICE PRECISION THREADS TENSOR\n", stderr);
        return 2;
    }
    bool good = open_all(&w, argv + 1);
    while (good && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "run ", 4) == 0) {
            good = run(&w, strtod(line + 4, NULL));
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
    free(w.data);
    return good ? 0 : 1;
}
