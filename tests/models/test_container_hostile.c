/* The container's reader: no damage gets through, and files made by hand are told what is wrong. */
#include "tests/models/every_op.h"

#include "models/container.h"

#include <jansson.h>

/* A model in memory of exactly its size, so that a read past the end is noticed. */
typedef struct opened {
    model *m;
    unsigned char *bytes;
    error err;
    status code;
} opened;

static opened open_bytes(const void *bytes, size_t size)
{
    opened o = {.bytes = malloc(size ? size : 1)};
    assert_non_null(o.bytes);
    memcpy(o.bytes, bytes, size);
    o.code = model_open_memory(&allocator_default, o.bytes, size, &o.m, &o.err);
    if (o.code != STATUS_OK && (o.m || o.err.code != o.code || o.err.text[0] == 0)) {
        fail_msg("%s: no message, or a model all the same", status_name(o.code));
    }
    return o;
}

static void opened_done(opened *o)
{
    model_destroy(o->m);
    free(o->bytes);
}

/* --- damage --- */

static json_t *graph_text(const graph *g)
{
    const char *names[16];
    json_t *text = NULL;
    error err = {0};
    region *scratch = region_create(&allocator_default);
    assert_non_null(scratch);
    assert_true(g->weight_count <= 16);
    for (size_t i = 0; i < g->weight_count; i++) {
        names[i] = g->weights[i].name;
    }
    assert_status_ok(graph_to_json(scratch, g, names, &text, &err), err);
    region_destroy(scratch);
    return text;
}

/* whether a damaged file that opens still is the same model */
static bool same_model(const model *m, const written *w)
{
    json_t *a = graph_text(m->graph), *b = graph_text(w->g);
    bool same = json_equal(a, b) && strcmp(m->card_json, w->card) == 0 &&
                m->graph->weight_count == w->g->weight_count;
    for (size_t i = 0; same && i < w->g->weight_count; i++) {
        const weight *x = &w->g->weights[i], *y = &m->graph->weights[i];
        same = shape_equal(x->shape, y->shape) &&
               memcmp(x->data, y->data, shape_elements(x->shape) * sizeof(float)) == 0;
    }
    json_decref(a);
    json_decref(b);
    return same;
}

static void every_damaged_byte_is_noticed(void **state)
{
    (void)state;
    written w;
    size_t same = 0;
    write_every_op(&w);
    for (size_t i = 0; i < w.size; i++) {
        unsigned char flip = (unsigned char)(i % 3 ? 1u << i % 8 : 0x20);
        w.bytes[i] ^= flip;
        opened o = open_bytes(w.bytes, w.size);
        if (o.code == STATUS_OK && !same_model(o.m, &w)) {
            fail_msg("byte %zu ^ 0x%02x gives another model", i, flip);
        }
        same += o.code == STATUS_OK;
        opened_done(&o);
        w.bytes[i] ^= flip;
    }
    printf("of %zu damaged files %zu opened, as the same model\n", w.size, same);
    written_done(&w);
}

static void every_shorter_file_is_noticed(void **state)
{
    (void)state;
    written w;
    write_every_op(&w);
    for (size_t size = 0; size < w.size; size += size < 64 ? 1 : 37) {
        opened o = open_bytes(w.bytes, size);
        assert_int_equal(o.code, STATUS_MODEL);
        opened_done(&o);
    }
    unsigned char *longer = calloc(1, w.size + 4);
    assert_non_null(longer);
    memcpy(longer, w.bytes, w.size);
    opened o = open_bytes(longer, w.size + 4);
    assert_int_equal(o.code, STATUS_MODEL);
    opened_done(&o);
    free(longer);
    written_done(&w);
}

/* --- files made by hand --- */

typedef struct handmade {
    const char *graph, *card; /* with ' for " */
    const char *tensors;      /* members of the header, with ' for " */
    tensor_entry entries[4];  /* what the text digest takes */
    size_t entry_count;
    const void *data;
    size_t data_size;
    const char *format, *version; /* NULL: the right ones */
    bool wrong_text, wrong_data;  /* digests */
} handmade;

static opened open_handmade(const handmade *h)
{
    char text_digest[DIGEST_TEXT], data_digest[DIGEST_TEXT];
    char *graph_text = fixture_quoted(h->graph), *card_text = fixture_quoted(h->card);
    char *tensors = fixture_quoted(h->tensors);
    container_text_digest(graph_text, strlen(graph_text), card_text, strlen(card_text), h->entries,
                          h->entry_count, text_digest);
    digest_bytes(h->data, h->data_size, data_digest);
    text_digest[0] ^= h->wrong_text;
    data_digest[0] ^= h->wrong_data;
    json_t *metadata =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "format", h->format ? h->format : "vkdet",
                  "format_version", h->version ? h->version : "1.0", "graph", graph_text, "card",
                  card_text, "text_sha256", text_digest, "data_sha256", data_digest);
    char *metadata_text = json_dumps(metadata, JSON_COMPACT);
    assert_non_null(metadata_text);
    size_t room = strlen(metadata_text) + strlen(tensors) + h->data_size + 256;
    unsigned char *bytes = calloc(1, room);
    assert_non_null(bytes);
    size_t length = (size_t)snprintf((char *)bytes + 8, room - 8, "{\"__metadata__\":%s%s%s}",
                                     metadata_text, tensors[0] ? "," : "", tensors);
    while ((length + 8) % 64) {
        bytes[8 + length++] = ' ';
    }
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    }
    memcpy(bytes + 8 + length, h->data, h->data_size);
    opened o = open_bytes(bytes, 8 + length + h->data_size);
    free(bytes);
    free(metadata_text);
    json_decref(metadata);
    free(tensors);
    free(card_text);
    free(graph_text);
    return o;
}

#define HAND_GRAPH(nodes, outputs)                                                                 \
    "{'input':{'name':'in','shape':[1,1,3]},'nodes':[" nodes "],'outputs':[" outputs "]}"
#define HAND_RESHAPE                                                                               \
    "{'op':'reshape','name':'r','inputs':[0],'weights':[],'target':[3],'shape':[3]}"
#define HAND_DENSE "{'op':'dense','name':'d','inputs':[1],'weights':['k',null],'shape':[2]}"
#define HAND_OUT   "{'value':2,'name':'out'}"
#define HAND_CARD                                                                                  \
    "{'schema':1,'name':'hand','version':'1','task':'classify','source':'a test','licence':'MIT'," \
    "'input':{'width':1,'height':1,'channels':'rgb','mean':[0,0,0],'deviation':[1,1,1],"           \
    "'fit':'stretch','resize':'nearest'},'outputs':{'scores':'out'},"                              \
    "'labels':[{'language':'en','names':['a','b']}]}"
#define HAND_TENSOR "'k':{'dtype':'F32','shape':[3,2],'data_offsets':[0,24]}"

static const float hand_data[6] = {1, 2, 3, 4, 5, 6};

static handmade hand(void)
{
    uint32_t dim[] = {3, 2};
    return (handmade){.graph = HAND_GRAPH(HAND_RESHAPE "," HAND_DENSE, HAND_OUT),
                      .card = HAND_CARD,
                      .tensors = HAND_TENSOR,
                      .entries = {{"k", shape_make(2, dim), 0, 24, false}},
                      .entry_count = 1,
                      .data = hand_data,
                      .data_size = sizeof hand_data};
}

static void files_of_other_tools_open(void **state)
{
    (void)state;
    handmade h = hand();
    opened o = open_handmade(&h);
    assert_status_ok(o.code, o.err);
    assert_memory_equal(o.m->graph->weights[0].data, hand_data, sizeof hand_data);
    opened_done(&o);
    h.version = "1.7"; /* a newer minor version */
    o = open_handmade(&h);
    assert_status_ok(o.code, o.err);
    opened_done(&o);
}

static void float16_tensors_are_expanded(void **state)
{
    (void)state;
    static const uint16_t halves[6] = {0x3c00, 0x4000, 0x4200, 0x4400, 0x0001, 0x8000};
    static const float expected[6] = {1, 2, 3, 4, 0x1p-24f, -0.0f};
    handmade h = hand();
    h.tensors = "'k':{'dtype':'F16','shape':[3,2],'data_offsets':[0,12]}";
    h.entries[0].end = 12;
    h.entries[0].half = true;
    h.data = halves;
    h.data_size = sizeof halves;
    opened o = open_handmade(&h);
    assert_status_ok(o.code, o.err);
    assert_memory_equal(o.m->graph->weights[0].data, expected, sizeof expected);
    opened_done(&o);
}

static void expect_refused(const handmade *h, status expected, const char *part)
{
    opened o = open_handmade(h);
    if (o.code != expected || !strstr(o.err.text, part)) {
        fail_msg("expected %s with '%s', got %s: %s", status_name(expected), part,
                 status_name(o.code), o.err.text);
    }
    opened_done(&o);
}

static void wrong_metadata_is_refused(void **state)
{
    (void)state;
    handmade h = hand();
    h.format = "pt";
    expect_refused(&h, STATUS_MODEL, "format: is \"pt\"");
    h = hand();
    h.version = "2.0";
    expect_refused(&h, STATUS_UNSUPPORTED, "\"2.0\"; this build reads version 1");
    h.version = "1";
    expect_refused(&h, STATUS_UNSUPPORTED, "format_version");
    h = hand();
    h.wrong_text = true;
    expect_refused(&h, STATUS_MODEL, "checksum of graph");
    h = hand();
    h.wrong_data = true;
    expect_refused(&h, STATUS_MODEL, "checksum of the weights");
    h = hand();
    h.card = "{}";
    expect_refused(&h, STATUS_MODEL, "schema: is missing");
}

static void wrong_tensors_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *tensors, *part;
    } cases[] = {
        {"", "the tensors take 0 bytes"},
        {"'k':7", "k: is a number"},
        {"'k':{'dtype':'F64','shape':[3,1],'data_offsets':[0,24]}", "k.dtype"},
        {"'k':{'dtype':'F32','shape':[],'data_offsets':[0,24]}", "k.shape"},
        {"'k':{'dtype':'F32','shape':[1,1,1,3,2],'data_offsets':[0,24]}", "k.shape"},
        {"'k':{'dtype':'F32','shape':[0,6],'data_offsets':[0,24]}", "k.shape[0]"},
        {"'k':{'dtype':'F32','shape':[1048576,1048576],'data_offsets':[0,24]}", "k.shape"},
        {"'k':{'dtype':'F32','shape':[3,2],'data_offsets':[0,28]}", "k.data_offsets[1]"},
        {"'k':{'dtype':'F32','shape':[3,2],'data_offsets':[-4,20]}", "k.data_offsets[0]"},
        {"'k':{'dtype':'F32','shape':[3,2],'data_offsets':[24,0]}", "k.data_offsets"},
        {"'k':{'dtype':'F32','shape':[5],'data_offsets':[2,22]}", "k.data_offsets"},
        {"'k':{'dtype':'F32','shape':[5],'data_offsets':[0,20]}", "take 20 bytes"},
        {"'k':{'dtype':'F32','shape':[5],'data_offsets':[4,24]}", "begins at byte 4"},
        {"'k':{'dtype':'F32','shape':[3],'data_offsets':[0,12]},"
         "'l':{'dtype':'F32','shape':[4],'data_offsets':[8,24]}",
         "'l' begins at byte 8"},
        {"'k':{'dtype':'F32','shape':[3,2],'data_offsets':[0,24],'more':1}", "k.more"},
        {HAND_TENSOR "," HAND_TENSOR, "duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        handmade h = hand();
        h.tensors = cases[i].tensors;
        expect_refused(&h, STATUS_MODEL, cases[i].part);
    }
}

static void wrong_graphs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *graph, *part;
    } cases[] = {
        {"{", "graph: line"},
        {"{}", "nodes: is missing"},
        {HAND_GRAPH("", HAND_OUT), "nodes: has 0"},
        {HAND_GRAPH(HAND_RESHAPE, ""), "outputs: has 0"},
        {HAND_GRAPH(HAND_RESHAPE, HAND_OUT), "outputs[0].value: is 2"},
        {HAND_GRAPH(HAND_DENSE, "{'value':1,'name':'out'}"), "nodes[0].inputs[0]: is 1"},
        {HAND_GRAPH("{'op':'fft','name':'f'}", HAND_OUT), "fft"},
        {HAND_GRAPH("{'name':'f'}", HAND_OUT), "nodes[0].op: is missing"},
        {HAND_GRAPH("{'op':'softmax','inputs':[0]}", HAND_OUT), "nodes[0].name: is missing"},
        {HAND_GRAPH("{'op':'softmax','name':'s','inputs':[0],'weights':[],'more':1}", HAND_OUT),
         "nodes[0].more"},
        {HAND_GRAPH("{'op':'softmax','name':'s','inputs':[0],'weights':[],'shape':[1,3,1]}",
                    HAND_OUT),
         "another shape"},
        {HAND_GRAPH("{'op':'softmax','name':'s','inputs':[0,0],'weights':[],'shape':[1,1,3]}",
                    HAND_OUT),
         "inputs"},
        {HAND_GRAPH("{'op':'softmax','name':'s','inputs':[0],'weights':['k'],'shape':[1,1,3]}",
                    HAND_OUT),
         "weights"},
        {HAND_GRAPH(HAND_RESHAPE ",{'op':'dense','name':'d','inputs':[1],'weights':['x',null],"
                                 "'shape':[2]}",
                    HAND_OUT),
         "no tensor \"x\""},
        {HAND_GRAPH(HAND_RESHAPE ",{'op':'dense','name':'d','inputs':[1],'weights':[null,'k'],"
                                 "'shape':[2]}",
                    HAND_OUT),
         "has no kernel"},
        {HAND_GRAPH("{'op':'activation','name':'a','inputs':[0],'weights':[],'shape':[1,1,3],"
                    "'activation':{'kind':'gelu'}}",
                    HAND_OUT),
         "gelu"},
        {HAND_GRAPH("{'op':'max_pool','name':'a','inputs':[0],'weights':[],'shape':[1,1,3],"
                    "'window':{'kernel':[1,1],'stride':[1,0],'dilation':[1,1],'pad':[0,0,0,0]}}",
                    HAND_OUT),
         "window.stride[1]"},
        {HAND_GRAPH("{'op':'permute','name':'a','inputs':[0],'weights':[],'shape':[1,1,3],"
                    "'permutation':[0,1,1]}",
                    HAND_OUT),
         "permutation"},
        {HAND_GRAPH("{'op':'resize','name':'a','inputs':[0],'weights':[],'shape':[1,1,3],"
                    "'resize':{'mode':'cubic','align_corners':false,'half_pixel':false,"
                    "'size':[1,1]}}",
                    HAND_OUT),
         "cubic"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        handmade h = hand();
        h.graph = cases[i].graph;
        opened o = open_handmade(&h);
        if ((o.code != STATUS_MODEL && o.code != STATUS_UNSUPPORTED) ||
            !strstr(o.err.text, cases[i].part)) {
            fail_msg("case %zu: expected '%s', got %s: %s", i, cases[i].part, status_name(o.code),
                     o.err.text);
        }
        opened_done(&o);
    }
}

static void card_and_graph_must_fit(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *part;
    } cases[] = {
        {"'width':1", "'width':2", "the card's input is 1x2x3"},
        {"'channels':'rgb','mean':[0,0,0],'deviation':[1,1,1]",
         "'channels':'gray','mean':[0],'deviation':[1]", "1x1x1"},
        {"'scores':'out'", "'scores':'d'", "no output 'd'"},
        {"['a','b']", "['a','b','c']", "scores: the card asks for 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[2048];
        const char *at = strstr(HAND_CARD, cases[i].from);
        assert_non_null(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - HAND_CARD), HAND_CARD, cases[i].to,
                       at + strlen(cases[i].from));
        handmade h = hand();
        h.card = text;
        expect_refused(&h, STATUS_MODEL, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_damaged_byte_is_noticed),
        cmocka_unit_test(every_shorter_file_is_noticed),
        cmocka_unit_test(files_of_other_tools_open),
        cmocka_unit_test(float16_tensors_are_expanded),
        cmocka_unit_test(wrong_metadata_is_refused),
        cmocka_unit_test(wrong_tensors_are_refused),
        cmocka_unit_test(wrong_graphs_are_refused),
        cmocka_unit_test(card_and_graph_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
