/* fuzz_SEED_KIND_seeds DIR: what the card, tfjs and container targets start from, made with our own
 * importer and writer: one network a layer case, and the toy detector of the program's tests. */
#include "tests/cli/fixture.h"
#include "tests/models/fixture.h"
#include "tests/models/layer_cases.h"

#include "models/container.h"

#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 16 };

typedef struct text {
    unsigned char bytes[FILE_MAX];
    size_t size;
} text;

static const char *root;

static const char *const scratch_files[] = {"model.json", "weights.bin", "card.json", "made.vkdet"};

static void add(text *t, const void *bytes, size_t size)
{
    assert_true(size <= sizeof t->bytes - t->size);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
}

static text read_back(const char *name)
{
    text t = {.size = 0};
    FILE *file = fopen(fixture_path(name), "rb");
    assert_non_null(file);
    t.size = fread(t.bytes, 1, sizeof t.bytes, file);
    (void)fclose(file);
    return t;
}

static void write_seed(const char *kind, const char *name, const text *t)
{
    char path[4096];
    if (strcmp(kind, SEED_KIND) == 0) {
        (void)snprintf(path, sizeof path, "%s/%s", root, name);
        fixture_write(path, t->bytes, t->size);
    }
}

static void write_card(const char *name, const char *card, size_t size)
{
    text t = {.size = 0};
    add(&t, card, size);
    write_seed("card", name, &t);
}

static void write_tfjs(const char *name, const preprocess *p, const text *json, const void *weights,
                       size_t size)
{
    text t = {.size = 0};
    const unsigned char head[] = {(unsigned char)p->height,
                                  (unsigned char)p->width,
                                  p->channels == CHANNELS_GRAY,
                                  (unsigned char)json->size,
                                  (unsigned char)(json->size >> 8),
                                  0,
                                  0};
    add(&t, head, sizeof head);
    add(&t, json->bytes, json->size);
    add(&t, weights, size);
    write_seed("tfjs", name, &t);
}

/* the two forms that fuzz_container takes, from made.vkdet */
static void write_container(const char *name)
{
    text whole = read_back("made.vkdet"), known = {.size = 0}, parts = {.size = 0};
    add(&known, "K", 1);
    add(&known, whole.bytes, whole.size);
    write_seed("container", name, &known);

    size_t length = (size_t)whole.bytes[0] | (size_t)whole.bytes[1] << 8;
    json_t *header = json_loadb((const char *)whole.bytes + CONTAINER_PREFIX, length, 0, NULL);
    json_t *metadata = json_object_get(header, "__metadata__");
    const char *card = json_string_value(json_object_get(metadata, "card"));
    const char *network = json_string_value(json_object_get(metadata, "graph"));
    assert_true(card && network);
    add(&parts, "P", 1);
    add(&parts, card, strlen(card) + 1);
    add(&parts, network, strlen(network) + 1);
    (void)json_object_del(header, "__metadata__");
    char *table = json_dumps(header, JSON_COMPACT);
    assert_non_null(table);
    add(&parts, table, strlen(table) + 1);
    add(&parts, whole.bytes + CONTAINER_PREFIX + length, whole.size - CONTAINER_PREFIX - length);
    char longer[256];
    (void)snprintf(longer, sizeof longer, "%s-parts", name);
    write_seed("container", longer, &parts);
    free(table);
    json_decref(header);
}

/* An output of one row, as a classifier has it. */
static size_t flatten(graph *g)
{
    error err;
    int node_index = 0, output = g->outputs[0];
    size_t count = shape_elements(g->values[output].shape);
    node n = {.op = OP_RESHAPE, .name = "row", .inputs = &output, .input_count = 1};
    n.attributes.target = (shape){1, {(uint32_t)count}};
    assert_status_ok(graph_add_node(g, &n, &node_index, &err), err);
    assert_status_ok(graph_set_outputs(g, g->nodes[node_index].outputs, 1, &err), err);
    return count;
}

static void write_case(const layer_case *c, size_t index)
{
    static fixture f;
    text json = {.size = 0};
    char name[32], format[FILE_MAX];
    error err;
    fixture_init(&f, c->input[0], c->input[1], c->input[2]);
    fixture_formula(&f, c->weights);
    (void)snprintf(name, sizeof name, "layer-%02zu", index);
    (void)snprintf(format, sizeof format,
                   "{'format':'layers-model','modelTopology':%s,"
                   "'weightsManifest':[{'paths':['w.bin'],'weights':[%s]}]}",
                   c->topology, f.manifest);
    char *quoted = fixture_quoted(format);
    add(&json, quoted, strlen(quoted));
    free(quoted);
    write_tfjs(name, &f.card.preprocess, &json, f.bytes, f.size);

    graph *g = fixture_graph(&f, c->topology);
    char *card = fixture_card(c->input[0], c->input[1], "row", flatten(g));
    if (c->input[2] == 3) { /* as the card has it */
        write_card(name, card, strlen(card));
        assert_status_ok(model_write(&allocator_default, g, card, strlen(card),
                                     index % 2 ? WEIGHTS_EXACT : WEIGHTS_FP32,
                                     fixture_path("made.vkdet"), &err),
                         err);
        write_container(name);
    }
    free(card);
    graph_destroy(g);
}

/* what the passes fold and fuse, which no single layer shows */
static const layer_case chain = {
    .input = {9, 9, 3},
    .topology = "{'class_name':'Sequential','config':{'name':'net','layers':["
                "{'class_name':'ZeroPadding2D','config':{'name':'p','padding':[[0,1],[0,1]]}},"
                "{'class_name':'Conv2D','config':{'name':'c','filters':4,'kernel_size':3}},"
                "{'class_name':'BatchNormalization','config':{'name':'b'}},"
                "{'class_name':'ReLU','config':{'name':'r'}},"
                "{'class_name':'MaxPooling2D','config':{'name':'m','pool_size':2}},"
                "{'class_name':'DepthwiseConv2D','config':{'name':'d','kernel_size':2}},"
                "{'class_name':'BatchNormalization','config':{'name':'e'}},"
                "{'class_name':'Flatten','config':{'name':'f'}},"
                "{'class_name':'Activation','config':{'name':'s','activation':'sigmoid'}},"
                "{'class_name':'Dense','config':{'name':'n','units':3}},"
                "{'class_name':'BatchNormalization','config':{'name':'g'}},"
                "{'class_name':'Activation','config':{'name':'t','activation':'tanh'}}]}}",
    .weights = "c/kernel:3,3,3,4 c/bias:4 b/gamma:4 b/beta:4 b/moving_mean:4 b/moving_variance:4 "
               "d/depthwise_kernel:2,2,4,1 d/bias:4 e/gamma:4 e/beta:4 e/moving_mean:4 "
               "e/moving_variance:4 n/kernel:36,3 n/bias:3 g/gamma:3 g/beta:3 g/moving_mean:3 "
               "g/moving_variance:3",
};

static void write_toy(void)
{
    char folder[4096], paths[3][4096];
    static const char *const files[] = {"model.json", "card.json", "made.vkdet"};
    const preprocess p = {.height = 32, .width = 32};
    error err;
    (void)snprintf(folder, sizeof folder, "%s", fixture_path("."));
    assert_int_equal(fixture_model(folder), 0);
    text json = read_back("model.json"), weights = read_back("weights.bin"),
         card = read_back("card.json");
    write_card("toy", (const char *)card.bytes, card.size);
    write_tfjs("toy", &p, &json, weights.bytes, weights.size);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s", fixture_path(files[i]));
    }
    assert_status_ok(
        model_convert(&allocator_default, paths[0], paths[1], WEIGHTS_EXACT, paths[2], &err), err);
    write_container("toy");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_" SEED_KIND "_seeds DIR\n");
        return 2;
    }
    root = argv[1];
    (void)mkdir(root, 0777);
    write_toy();
    write_case(&chain, layer_case_count);
    for (size_t i = 0; i < layer_case_count; i++) {
        write_case(&layer_cases[i], i);
    }
    for (size_t i = 0; i < sizeof scratch_files / sizeof scratch_files[0]; i++) {
        (void)remove(fixture_path(scratch_files[i]));
    }
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s", fixture_path(""));
    (void)rmdir(folder);
    return 0;
}
