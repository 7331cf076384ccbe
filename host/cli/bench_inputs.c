/* The pictures of a run, in memory before anything is timed: those that were named, or drawn ones.
 * For the stage "bytes" their files are kept too; a drawn picture's file is a JPEG of quality 90.
 */
#include "host/cli/bench.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/cli/sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DRAWN = 8, MOST = 64 };
#define MOST_BYTES (512ull << 20) /* of pixels */
#define MOST_FILE  (256ull << 20)

static int out_of_memory(void)
{
    console_error("out of memory for pictures");
    return EXIT_DEVICE;
}

static bool read_file(const char *path, bench_file *out)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    size_t capacity = 0;
    *out = (bench_file){0};
    while (!ferror(file) && !feof(file) && out->size <= MOST_FILE) {
        if (out->size == capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            unsigned char *grown = realloc(out->bytes, capacity);
            if (!grown) {
                break;
            }
            out->bytes = grown;
        }
        out->size += fread(out->bytes + out->size, 1, capacity - out->size, file);
    }
    bool good = feof(file) && !ferror(file) && out->size > 0;
    (void)fclose(file);
    if (!good) {
        free(out->bytes);
        *out = (bench_file){0};
    }
    return good;
}

/* takes over the image */
static bool keep(bench_inputs *in, vkdet_image *image)
{
    size_t count = in->count + 1;
    vkdet_image **images = realloc(in->images, count * sizeof(vkdet_image *));
    in->images = images ? images : in->images;
    vkdet_pixels *pixels = realloc(in->pixels, count * sizeof *pixels);
    in->pixels = pixels ? pixels : in->pixels;
    bench_file *files = realloc(in->files, count * sizeof *files);
    in->files = files ? files : in->files;
    if (!images || !pixels || !files) {
        vkdet_image_destroy(image);
        return false;
    }
    in->images[in->count] = image;
    in->pixels[in->count] = vkdet_image_pixels(image);
    in->files[in->count] = (bench_file){0};
    in->count = count;
    return true;
}

/* A drawn picture as a JPEG file: written to a folder of its own, since that is what the library
 * does, and read back. */
static int encode(bench_file *out, const vkdet_image *image)
{
    const char *root = getenv("TMPDIR");
    char folder[512], path[540];
    int length =
        snprintf(folder, sizeof folder, "%s/vkdet-bench-XXXXXX", root && *root ? root : "/tmp");
    if (length < 0 || (size_t)length >= sizeof folder || !mkdtemp(folder)) {
        console_error("no temporary folder for a JPEG: %s", strerror(errno));
        return EXIT_OUTPUT;
    }
    (void)snprintf(path, sizeof path, "%s/scene.jpg", folder);
    vkdet_status saved = vkdet_image_save(image, path, 90);
    bool good = saved == VKDET_OK && read_file(path, out);
    if (!good) {
        console_error("%s", saved != VKDET_OK ? vkdet_error_message() : "a JPEG was not read back");
    }
    (void)unlink(path);
    (void)rmdir(folder);
    return good ? EXIT_GOOD : EXIT_OUTPUT;
}

/* The scene as the pixels that are timed and checked: after a JPEG's losses when its bytes are
 * timed too, so that both stages see the same. */
static int draw_one(bench *b, uint64_t seed, vkdet_image **out, bench_file *jpeg)
{
    const bench_wish *w = &b->wish;
    size_t size = 0;
    unsigned char *file = bench_scene_draw(w->width, w->height, seed, &size);
    if (!file) {
        return out_of_memory();
    }
    vkdet_status status = vkdet_image_decode(b->context, file, size, &b->inputs.limits, out);
    free(file);
    if (status == VKDET_OK && (w->stages & STAGE_BYTES)) {
        int encoded = encode(jpeg, *out);
        vkdet_image_destroy(*out);
        *out = NULL;
        if (encoded != EXIT_GOOD) {
            return encoded;
        }
        status = vkdet_image_decode(b->context, jpeg->bytes, jpeg->size, &b->inputs.limits, out);
    }
    if (status != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return status == VKDET_ERROR_LIMIT ? EXIT_USAGE : EXIT_DEVICE;
    }
    return EXIT_GOOD;
}

static int draw(bench *b)
{
    bench_inputs *in = &b->inputs;
    bench_wish *w = &b->wish;
    if (w->width == 0) {
        w->width = b->info.input_width;
        w->height = b->info.input_height;
    }
    for (uint64_t i = 0; i < DRAWN; i++) {
        vkdet_image *image = NULL;
        bench_file jpeg = {0};
        int status = draw_one(b, w->seed * DRAWN + i, &image, &jpeg);
        if (status == EXIT_GOOD && !keep(in, image)) {
            status = out_of_memory();
        }
        if (status != EXIT_GOOD) {
            free(jpeg.bytes);
            return status;
        }
        in->files[in->count - 1] = jpeg;
    }
    return EXIT_GOOD;
}

static int load_one(bench *b, const source *from, uint64_t *bytes)
{
    bench_inputs *in = &b->inputs;
    vkdet_image *image = NULL;
    vkdet_image_info info;
    if (from->reason) {
        console_error("%s: %s", from->path, from->reason);
        return EXIT_INPUT;
    }
    if (vkdet_image_load(b->context, from->path, &in->limits, &image) != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return EXIT_INPUT;
    }
    vkdet_image_info_get(image, &info);
    *bytes += (uint64_t)info.width * info.height * 3;
    if (!keep(in, image)) {
        return out_of_memory();
    }
    if ((b->wish.stages & STAGE_BYTES) && !read_file(from->path, &in->files[in->count - 1])) {
        console_error("%s: could not be read a second time", from->path);
        return EXIT_INPUT;
    }
    return EXIT_GOOD;
}

static int load(bench *b)
{
    const settings *s = b->settings;
    uint64_t bytes = 0;
    int status = EXIT_GOOD;
    sources *list = sources_create(s->operands, s->operand_count, NULL);
    if (!list) {
        return out_of_memory();
    }
    while (status == EXIT_GOOD) {
        source one = {0};
        source_outcome got = sources_next(list, &one);
        if (got == SOURCE_NO_MEMORY) {
            status = out_of_memory();
        }
        if (got != SOURCE_GOT) {
            break;
        }
        if (b->inputs.count == MOST || bytes > MOST_BYTES) {
            console_note("the first %zu pictures are used", b->inputs.count);
            free(one.path);
            free(one.reason);
            break;
        }
        status = load_one(b, &one, &bytes);
        free(one.path);
        free(one.reason);
    }
    sources_destroy(list);
    if (status == EXIT_GOOD && b->inputs.count == 0) {
        console_error("bench: no picture among the sources");
        status = EXIT_INPUT;
    }
    return status;
}

int bench_inputs_load(bench *b, json_t **facts)
{
    const bool named = b->settings->operand_count > 0;
    b->inputs.limits = (vkdet_image_params){.max_pixels = b->settings->max_pixels};
    int status = named ? load(b) : draw(b);
    if (status != EXIT_GOOD) {
        return status;
    }
    uint64_t pixels = 0, bytes = 0;
    uint32_t width = b->inputs.pixels[0].width, height = b->inputs.pixels[0].height;
    for (size_t i = 0; i < b->inputs.count; i++) {
        const vkdet_pixels *p = &b->inputs.pixels[i];
        pixels += (uint64_t)p->width * p->height;
        bytes += b->inputs.files[i].size;
        if (p->width != width || p->height != height) {
            width = height = 0; /* of several sizes */
        }
    }
    *facts = json_pack("{s:s, s:I, s:I, s:I}", "kind", named ? "files" : "drawn scenes", "pictures",
                       (json_int_t)b->inputs.count, "pixels", (json_int_t)pixels, "file_bytes",
                       (json_int_t)bytes);
    if (width > 0) {
        (void)json_object_set_new(*facts, "width", json_integer(width));
        (void)json_object_set_new(*facts, "height", json_integer(height));
    }
    return EXIT_GOOD;
}

void bench_inputs_free(bench_inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        vkdet_image_destroy(in->images[i]);
        free(in->files[i].bytes);
    }
    free(in->images);
    free(in->pixels);
    free(in->files);
    *in = (bench_inputs){0};
}
