/* Small networks in memory. */
#include "tests/models/fixture.h"

#include <sys/stat.h>
#include <unistd.h>

void fixture_init(fixture *f, uint32_t height, uint32_t width, uint32_t channels)
{
    memset(f, 0, sizeof *f);
    f->card.preprocess.height = height;
    f->card.preprocess.width = width;
    f->card.preprocess.channels = channels == 1 ? CHANNELS_GRAY : CHANNELS_RGB;
}

void fixture_raw(fixture *f, const char *entry, const void *bytes, size_t size)
{
    size_t used = strlen(f->manifest);
    (void)snprintf(f->manifest + used, sizeof f->manifest - used, "%s%s", f->entries++ ? "," : "",
                   entry);
    assert_true(strlen(f->manifest) + 1 < sizeof f->manifest);
    assert_true(f->size + size <= sizeof f->bytes);
    memcpy(f->bytes + f->size, bytes, size);
    f->size += size;
}

static size_t product(const char *extent)
{
    size_t n = 1;
    char *end;
    for (const char *c = extent;; c = end + 1) {
        n *= strtoul(c, &end, 10);
        if (*end != ',') {
            return n;
        }
    }
}

void fixture_weight(fixture *f, const char *name, const char *extent, const float *values)
{
    char entry[1024];
    (void)snprintf(entry, sizeof entry, "{'name':'%s','shape':[%s],'dtype':'float32'}", name,
                   extent);
    fixture_raw(f, entry, values, product(extent) * sizeof(float));
}

void fixture_formula(fixture *f, const char *weights)
{
    char copy[1024], *rest = NULL;
    size_t k = f->entries;
    (void)snprintf(copy, sizeof copy, "%s", weights);
    for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest), k++) {
        char *extent = strchr(w, ':');
        *extent++ = 0;
        float values[4096];
        for (size_t i = 0; i < product(extent); i++) {
            values[i] = (float)((int)((i * 7 + k * 13) % 11) - 5) / 8.0f;
            values[i] = strstr(w, "variance") ? fabsf(values[i]) + 0.5f : values[i];
        }
        fixture_weight(f, w, extent, values);
    }
}

float fixture_input(size_t i)
{
    return (float)((int)(i * 5 % 17) - 8) / 4.0f;
}

char *fixture_quoted(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *c = copy; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return copy;
}

/* shard n has bytes n * shard_size and on; paths are "0", "1", ... or one "w.bin" */
static status fetch(void *user, const char *path, const unsigned char **bytes, size_t *size,
                    error *err)
{
    fixture *f = user;
    f->fetched++;
    if (!f->shards) {
        *bytes = f->bytes;
        *size = f->size;
        return strcmp(path, "w.bin") == 0 ? STATUS_OK
                                          : error_set(err, STATUS_IO, "no shard %s", path);
    }
    size_t index = strtoul(path, NULL, 10), begin = index * f->shard_size;
    if (begin > f->size) {
        return error_set(err, STATUS_IO, "no shard %s", path);
    }
    *bytes = f->bytes + begin;
    *size = f->size - begin < f->shard_size ? f->size - begin : f->shard_size;
    return STATUS_OK;
}

status fixture_import(fixture *f, const allocator *a, const char *topology, graph **out, error *err)
{
    size_t room = strlen(topology) + strlen(f->manifest) + 1024;
    char *text = malloc(room);
    assert_non_null(text);
    (void)snprintf(text, room,
                   "{'format':'layers-model','modelTopology':%s,"
                   "'weightsManifest':[{'paths':%s,'weights':[%s]}]}",
                   topology, f->shards ? f->shards : "['w.bin']", f->manifest);
    char *json = fixture_quoted(text);
    tfjs_source source = {fetch, f};
    status s = tfjs_parse(a, json, strlen(json), &source, &f->card, out, err);
    free(json);
    free(text);
    return s;
}

graph *fixture_graph(fixture *f, const char *topology)
{
    graph *g = NULL;
    error err = {0};
    assert_status_ok(fixture_import(f, &allocator_default, topology, &g, &err), err);
    return g;
}

void fixture_refused(fixture *f, const char *topology, status expected, const char *part)
{
    test_allocator counted;
    graph *g = NULL;
    error err = {0};
    test_allocator_init(&counted, 0);
    status s = fixture_import(f, &counted.alloc, topology, &g, &err);
    if (s != expected || err.code != expected || !strstr(err.text, part)) {
        fail_msg("expected %s with '%s', got %s: %s", status_name(expected), part, status_name(s),
                 s == STATUS_OK ? "" : err.text);
    }
    assert_null(g);
    assert_int_equal(counted.live, 0);
}

float *fixture_run(const graph *g, size_t index)
{
    reference_values values;
    error err = {0};
    assert_status_ok(reference_values_create(g, &allocator_default, &values, &err), err);
    for (size_t i = 0; i < shape_elements(g->values[g->input].shape); i++) {
        values.data[g->input][i] = fixture_input(i);
    }
    assert_status_ok(reference_run(g, &values, &err), err);
    size_t count = shape_elements(g->values[g->outputs[index]].shape);
    float *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values.data[g->outputs[index]], count * sizeof *copy);
    reference_values_destroy(&values);
    return copy;
}

void fixture_compare(const char *what, const float *found, const float *expected, size_t count,
                     float bound)
{
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(found[i] - expected[i]) <= bound)) {
            fail_msg("%s: element %zu is %.9g, expected %.9g", what, i, (double)found[i],
                     (double)expected[i]);
        }
    }
}

char *fixture_layer(const char *class_name, const char *config)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "{'class_name':'Sequential','config':{'name':'net','layers':[{'class_name':'%s',"
                   "'config':{'name':'l'%s%s}}]}}",
                   class_name, config[0] ? "," : "", config);
    return text;
}

char *fixture_card(uint32_t height, uint32_t width, const char *output, size_t classes)
{
    char names[1024] = "", text[4096];
    for (size_t i = 0; i < classes; i++) {
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s'class %zu'", i ? "," : "", i);
    }
    (void)snprintf(text, sizeof text,
                   "{'schema':1,'name':'small','version':'1','task':'classify','source':'a test',"
                   "'licence':'MIT','input':{'width':%u,'height':%u,'channels':'rgb',"
                   "'mean':[127.5,127.5,127.5],'deviation':[127.5,127.5,127.5],'fit':'stretch',"
                   "'resize':'bilinear'},'outputs':{'scores':'%s'},"
                   "'labels':[{'language':'en','names':[%s]}]}",
                   (unsigned)width, (unsigned)height, output, names);
    return fixture_quoted(text);
}

static char scratch[2048]; /* the folder of this run */

static void remove_scratch(void)
{
    (void)test_remove_folder(scratch);
}

const char *fixture_path(const char *name)
{
    static char path[4096];
    const char *base = getenv("TMPDIR");
    if (!scratch[0]) {
        (void)snprintf(scratch, sizeof scratch, "%s/vkdet-models-%ld", base ? base : "/tmp",
                       (long)getpid());
        assert_int_equal(mkdir(scratch, 0700), 0);
        assert_int_equal(atexit(remove_scratch), 0);
    }
    (void)snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

void fixture_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}
