/* The container: what goes in comes out, equal input gives equal bytes, and no damage gets through.
 */
#include "tests/models/fixture.h"

#include "models/container.h"

#include <jansson.h>

/* every operator, every attribute off its default */
static const char every_op[] =
    "{'class_name':'Model','config':{'name':'net','layers':["
    "{'class_name':'InputLayer','name':'in','config':{},'inbound_nodes':[]},"
    "{'class_name':'Conv2D','name':'conv','config':{'filters':4,'kernel_size':[3,2],"
    "'padding':'same','activation':'relu6','dilation_rate':[1,2]},'inbound_nodes':[[['in',0,0]]]},"
    "{'class_name':'Conv2D','name':'grouped','config':{'filters':4,'kernel_size':1,'groups':2,"
    "'use_bias':false,'activation':'elu'},'inbound_nodes':[[['conv',0,0]]]},"
    "{'class_name':'DepthwiseConv2D','name':'depthwise','config':{'kernel_size':2,'strides':2,"
    "'depth_multiplier':2,'activation':'swish'},'inbound_nodes':[[['grouped',0,0]]]},"
    "{'class_name':'BatchNormalization','name':'bn','config':{'epsilon':0.0123,'scale':false},"
    "'inbound_nodes':[[['depthwise',0,0]]]},"
    "{'class_name':'PReLU','name':'prelu','config':{'shared_axes':[1,2]},"
    "'inbound_nodes':[[['bn',0,0]]]},"
    "{'class_name':'ReLU','name':'relu','config':{'max_value':1.7,'negative_slope':0.1,"
    "'threshold':0.2},'inbound_nodes':[[['prelu',0,0]]]},"
    "{'class_name':'ZeroPadding2D','name':'pad','config':{'padding':[[1,2],[3,4]]},"
    "'inbound_nodes':[[['relu',0,0]]]},"
    "{'class_name':'Cropping2D','name':'crop','config':{'cropping':[[0,1],[2,1]]},"
    "'inbound_nodes':[[['pad',0,0]]]},"
    "{'class_name':'MaxPooling2D','name':'max','config':{'pool_size':2,'strides':1,"
    "'padding':'same'},'inbound_nodes':[[['crop',0,0]]]},"
    "{'class_name':'AveragePooling2D','name':'mean','config':{'pool_size':[2,3],'strides':1,"
    "'padding':'same'},'inbound_nodes':[[['crop',0,0]]]},"
    "{'class_name':'Add','name':'add','config':{},'inbound_nodes':[[['max',0,0],['mean',0,0]]]},"
    "{'class_name':'Multiply','name':'multiply','config':{},"
    "'inbound_nodes':[[['add',0,0],['max',0,0]]]},"
    "{'class_name':'UpSampling2D','name':'up','config':{'size':[2,1],'interpolation':'bilinear'},"
    "'inbound_nodes':[[['multiply',0,0]]]},"
    "{'class_name':'UpSampling2D','name':'up2','config':{'size':[1,2]},"
    "'inbound_nodes':[[['up',0,0]]]},"
    "{'class_name':'Concatenate','name':'cat','config':{'axis':2},"
    "'inbound_nodes':[[['up',0,0],['up2',0,0]]]},"
    "{'class_name':'Reshape','name':'reshape','config':{'target_shape':[-1,8]},"
    "'inbound_nodes':[[['cat',0,0]]]},"
    "{'class_name':'Permute','name':'permute','config':{'dims':[2,1]},"
    "'inbound_nodes':[[['reshape',0,0]]]},"
    "{'class_name':'Softmax','name':'softmax','config':{},'inbound_nodes':[[['permute',0,0]]]},"
    "{'class_name':'GlobalAveragePooling2D','name':'global','config':{},"
    "'inbound_nodes':[[['cat',0,0]]]},"
    "{'class_name':'Dense','name':'dense','config':{'units':3,'activation':'tanh'},"
    "'inbound_nodes':[[['global',0,0]]]},"
    "{'class_name':'Activation','name':'hard','config':{'activation':'hard_sigmoid'},"
    "'inbound_nodes':[[['dense',0,0]]]},"
    "{'class_name':'Activation','name':'sigmoid','config':{'activation':'sigmoid'},"
    "'inbound_nodes':[[['hard',0,0]]]}],"
    "'input_layers':[['in',0,0]],"
    "'output_layers':[['softmax',0,0],['sigmoid',0,0],['in',0,0]]}}";

static const char every_op_weights[] =
    "conv/kernel:3,2,3,4 conv/bias:4 grouped/kernel:1,1,2,4 depthwise/depthwise_kernel:2,2,4,2 "
    "depthwise/bias:8 bn/beta:8 bn/moving_mean:8 bn/moving_variance:8 prelu/alpha:1,1,8 "
    "dense/kernel:8,3 dense/bias:3";

typedef struct written {
    graph *g;
    char *card;
    char path[4096];
    unsigned char *bytes; /* of the file */
    size_t size;
} written;

static void write_every_op(written *w)
{
    error err = {0};
    fixture f;
    fixture_init(&f, 6, 5, 3);
    fixture_formula(&f, every_op_weights);
    w->g = fixture_graph(&f, every_op);
    w->card = fixture_card(6, 5, "sigmoid", 3);
    (void)snprintf(w->path, sizeof w->path, "%s", fixture_path("every.vkdet"));
    assert_status_ok(model_write(&allocator_default, w->g, w->card, strlen(w->card), w->path, &err),
                     err);
    w->bytes = test_read_file(w->path, &w->size);
    assert_non_null(w->bytes);
}

static void written_done(written *w)
{
    graph_destroy(w->g);
    free(w->card);
    free(w->bytes);
}

static model *open_file(const char *path)
{
    model *m = NULL;
    error err = {0};
    assert_status_ok(model_open(&allocator_default, path, &m, &err), err);
    return m;
}

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

static void round_trip(void **state)
{
    (void)state;
    written w;
    write_every_op(&w);
    model *m = open_file(w.path);
    assert_string_equal(m->card_json, w.card);
    assert_string_equal(m->card.name, "small");
    assert_int_equal(m->file_bytes, w.size);
    assert_int_equal(m->graph->node_count, w.g->node_count);
    assert_int_equal(m->graph->output_count, 3);
    for (size_t i = 0; i < w.g->node_count; i++) {
        const node *a = &w.g->nodes[i], *b = &m->graph->nodes[i];
        assert_int_equal(a->op, b->op);
        assert_string_equal(a->name, b->name);
        assert_memory_equal(&a->act[0], &b->act[0], sizeof a->act[0]);
        assert_memory_equal(&a->attributes, &b->attributes, sizeof a->attributes);
    }
    for (size_t i = 0; i < m->graph->weight_count; i++) {
        const unsigned char *data = (const unsigned char *)m->graph->weights[i].data;
        const unsigned char *mapping = m->mapping;
        assert_true(data >= mapping && data < mapping + m->mapping_size); /* no copy */
        assert_int_equal((uintptr_t)data % sizeof(float), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t count = shape_elements(w.g->values[w.g->outputs[i]].shape);
        float *a = fixture_run(w.g, i), *b = fixture_run(m->graph, i);
        assert_string_equal(w.g->values[w.g->outputs[i]].name,
                            m->graph->values[m->graph->outputs[i]].name);
        assert_memory_equal(a, b, count * sizeof *a);
        free(a);
        free(b);
    }
    /* what was read writes the same bytes */
    error err = {0};
    size_t size = 0;
    const char *again = fixture_path("again.vkdet");
    assert_status_ok(
        model_write(&allocator_default, m->graph, m->card_json, strlen(m->card_json), again, &err),
        err);
    unsigned char *bytes = test_read_file(again, &size);
    assert_int_equal(size, w.size);
    assert_memory_equal(bytes, w.bytes, size);
    free(bytes);
    model_destroy(m);
    written_done(&w);
}

static void data_is_aligned_and_digested(void **state)
{
    (void)state;
    written w;
    char digest_text[DIGEST_TEXT];
    write_every_op(&w);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) {
        header = header << 8 | w.bytes[i];
    }
    assert_int_equal((header + 8) % 64, 0);
    assert_int_equal(w.bytes[8], '{');
    model *m = open_file(w.path);
    digest_bytes(w.bytes + 8 + header, w.size - 8 - header, digest_text);
    assert_string_equal(m->digest, digest_text);
    model_destroy(m);
    written_done(&w);
}

/* FIPS 180-2's example */
static void digest_is_sha256(void **state)
{
    (void)state;
    char text[DIGEST_TEXT];
    digest_bytes("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(digest_valid(text));
    assert_false(digest_valid("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
    assert_false(digest_valid(""));
}

/* --- damage --- */

/* whether a damaged file that opens still is the same model */
static bool same_model(const model *m, const written *w)
{
    bool same = m->graph->node_count == w->g->node_count && strcmp(m->card_json, w->card) == 0;
    for (size_t i = 0; same && i < w->g->node_count; i++) {
        const node *a = &w->g->nodes[i], *b = &m->graph->nodes[i];
        same = a->op == b->op && memcmp(&a->attributes, &b->attributes, sizeof a->attributes) == 0;
        for (int k = 0; same && k < a->weight_count; k++) {
            if (a->weights[k] == GRAPH_NONE || b->weights[k] == GRAPH_NONE) {
                same = a->weights[k] == b->weights[k];
                continue;
            }
            const weight *x = &w->g->weights[a->weights[k]];
            const weight *y = &m->graph->weights[b->weights[k]];
            same = shape_equal(x->shape, y->shape) &&
                   memcmp(x->data, y->data, shape_elements(x->shape) * sizeof(float)) == 0;
        }
    }
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
        {"{}", "input: is missing"},
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

/* --- files, memory --- */

static void bad_files_are_named(void **state)
{
    (void)state;
    model *m = NULL;
    error err = {0};
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", fixture_path("missing.vkdet"));
    assert_int_equal(model_open(&allocator_default, path, &m, &err), STATUS_IO);
    assert_memory_equal(err.text, path, strlen(path));
    assert_int_equal(model_open(&allocator_default, "/dev/null", &m, &err), STATUS_IO);
    assert_int_equal(model_open(&allocator_default, "/", &m, &err), STATUS_IO);
    (void)snprintf(path, sizeof path, "%s", fixture_path("empty.vkdet"));
    fixture_write(path, "", 0);
    assert_int_equal(model_open(&allocator_default, path, &m, &err), STATUS_MODEL);
    assert_memory_equal(err.text, path, strlen(path));
    (void)snprintf(path, sizeof path, "%s", fixture_path("text.vkdet"));
    fixture_write(path, "this is a text, not a model", 27);
    assert_int_equal(model_open(&allocator_default, path, &m, &err), STATUS_MODEL);
    assert_non_null(strstr(err.text, "not a vkdet container"));
    static const _Alignas(8) unsigned char bytes[32] = {0};
    assert_int_equal(model_open_memory(&allocator_default, bytes + 1, 31, &m, &err),
                     STATUS_ARGUMENT);
    assert_null(m);
    model_destroy(NULL);
}

static void a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    written w;
    error err = {0};
    char path[4096];
    write_every_op(&w);
    (void)snprintf(path, sizeof path, "%s", fixture_path("no/such/folder.vkdet"));
    assert_int_equal(model_write(&allocator_default, w.g, w.card, strlen(w.card), path, &err),
                     STATUS_IO);
    assert_memory_equal(err.text, path, strlen(path));
    /* a folder cannot be replaced by a file: the rename fails, after everything was written */
    (void)snprintf(path, sizeof path, "%s", fixture_path("."));
    assert_int_equal(model_write(&allocator_default, w.g, w.card, strlen(w.card), path, &err),
                     STATUS_IO);
    /* an old file stays as it is when memory runs out */
    for (size_t n = 1;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        status s = model_write(&t.alloc, w.g, w.card, strlen(w.card), w.path, &err);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_status_ok(s, err);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
    }
    size_t size = 0;
    unsigned char *bytes = test_read_file(w.path, &size);
    assert_int_equal(size, w.size);
    assert_memory_equal(bytes, w.bytes, size);
    free(bytes);
    written_done(&w);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    written w;
    write_every_op(&w);
    for (size_t n = 1;; n++) {
        model *m = NULL;
        error err = {0};
        test_allocator t;
        test_allocator_init(&t, n);
        status s = model_open(&t.alloc, w.path, &m, &err);
        if (!t.failed) {
            assert_status_ok(s, err);
            size_t before = t.live;
            t.fail_at = t.allocations + 1;
            char *json = NULL;
            assert_int_equal(model_describe(m, &json, &err), STATUS_MEMORY);
            assert_null(json);
            t.fail_at = 0;
            assert_status_ok(model_describe(m, &json, &err), err);
            memory_release(&t.alloc, json);
            assert_int_equal(t.live, before);
            model_destroy(m);
            assert_int_equal(t.live, 0);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
        assert_null(m);
        assert_int_equal(t.live, 0);
    }
    written_done(&w);
}

/* weights of one name get tensors of two; a fused graph is not stored */
static void odd_graphs(void **state)
{
    (void)state;
    error err = {0};
    fixture f;
    fixture_init(&f, 1, 1, 3);
    fixture_formula(&f, "l/kernel:1,1,3,2");
    graph *g = fixture_graph(&f, "{'class_name':'Sequential','config':[{'class_name':'Conv2D',"
                                 "'config':{'name':'l','filters':2,'kernel_size':1,'use_bias':"
                                 "false}},{'class_name':'Flatten','config':{'name':'out'}}]}");
    uint32_t two = 2;
    static const float bias[2] = {1, 2};
    assert_status_ok(
        graph_add_weight(g, "l/kernel", shape_make(1, &two), bias, &g->nodes[0].weights[1], &err),
        err);
    g->weights[0].name = "__metadata__";
    char *card_text = fixture_card(1, 1, "out", 2);
    const char *path = fixture_path("odd.vkdet");
    for (int round = 0; round < 2; round++) {
        assert_status_ok(
            model_write(&allocator_default, g, card_text, strlen(card_text), path, &err), err);
        model *m = open_file(path);
        float *a = fixture_run(g, 0), *b = fixture_run(m->graph, 0);
        assert_memory_equal(a, b, 2 * sizeof *a);
        free(a);
        free(b);
        model_destroy(m);
        g->weights[0].name = "l/kernel";
    }
    g->nodes[0].attributes.conv.pooled = true;
    assert_int_equal(model_write(&allocator_default, g, card_text, strlen(card_text), path, &err),
                     STATUS_ARGUMENT);
    assert_non_null(strstr(err.text, "'l' is fused"));
    free(card_text);
    graph_destroy(g);
}

static void description_adds_up(void **state)
{
    (void)state;
    written w;
    error err = {0};
    char *text = NULL;
    write_every_op(&w);
    model *m = open_file(w.path);
    assert_status_ok(model_describe(m, &text, &err), err);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    json_int_t parameters = 0, macs = 0;
    size_t i;
    json_t *layer;
    json_array_foreach(json_object_get(root, "layers"), i, layer)
    {
        parameters += json_integer_value(json_object_get(layer, "parameters"));
        macs += json_integer_value(json_object_get(layer, "macs"));
    }
    assert_int_equal(i, w.g->node_count);
    assert_int_equal(json_integer_value(json_object_get(root, "parameters")), parameters);
    assert_int_equal(json_integer_value(json_object_get(root, "macs")), macs);
    assert_int_equal(parameters, 72 + 4 + 8 + 32 + 8 + 24 + 8 + 24 + 3);
    assert_int_equal(json_integer_value(json_object_get(root, "file_bytes")), w.size);
    assert_string_equal(json_string_value(json_object_get(root, "sha256")), m->digest);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "card"), "name")),
                        "small");
    json_t *memory = json_object_get(root, "memory");
    assert_int_equal(json_integer_value(json_object_get(memory, "weight_bytes")), 4 * parameters);
    json_decref(root);
    memory_release(&allocator_default, text);
    model_destroy(m);
    written_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(data_is_aligned_and_digested),
        cmocka_unit_test(digest_is_sha256),
        cmocka_unit_test(every_damaged_byte_is_noticed),
        cmocka_unit_test(every_shorter_file_is_noticed),
        cmocka_unit_test(files_of_other_tools_open),
        cmocka_unit_test(float16_tensors_are_expanded),
        cmocka_unit_test(wrong_metadata_is_refused),
        cmocka_unit_test(wrong_tensors_are_refused),
        cmocka_unit_test(wrong_graphs_are_refused),
        cmocka_unit_test(card_and_graph_must_fit),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(odd_graphs),
        cmocka_unit_test(description_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
