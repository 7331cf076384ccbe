/* Small files that ask for much: each is refused before it gets it. */
#include "tests/models/fixture.h"

#include "models/bind.h"

enum { ROOM = 1 << 16, LEVELS = 12, NAME = 250 };

/* Each model calls the one inside twice, and names grow with the models around: some kilobytes
 * would become hundreds of megabytes of names. */
static void names_are_capped(void **state)
{
    (void)state;
    char *text = malloc(ROOM), *outer = malloc(ROOM), name[NAME + 1];
    assert_non_null(text);
    assert_non_null(outer);
    memset(name, 'm', NAME);
    name[NAME] = 0;
    (void)snprintf(text, ROOM,
                   "{'class_name':'Sequential','config':{'name':'s','layers':["
                   "{'class_name':'ReLU','config':{'name':'a'}}]},'name':'%s',"
                   "'inbound_nodes':[[['i',0,0]],[['%s',1,0]]]}",
                   name, name);
    for (int level = 0; level <= LEVELS; level++) {
        char *swap = outer;
        (void)snprintf(outer, ROOM,
                       "{'class_name':'Model','name':'%s','config':{'name':'m','layers':["
                       "{'class_name':'InputLayer','name':'i','config':{},'inbound_nodes':[]},%s],"
                       "'input_layers':[['i',0,0]],'output_layers':[['%s',2,0]]},"
                       "'inbound_nodes':[[['i',0,0]],[['%s',1,0]]]}",
                       name, text, name, name);
        outer = text;
        text = swap;
    }
    fixture f;
    fixture_init(&f, 2, 2, 3);
    fixture_refused(&f, text, STATUS_LIMIT, "names of all layers");
    free(text);
    free(outer);
}

static void a_shard_counts_once(void **state)
{
    (void)state;
    static const float values[6] = {0};
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_weight(&f, "l/alpha", "1,2,3", values);
    f.shards = "['0','0']";
    f.shard_size = 12;
    fixture_refused(&f, fixture_layer("PReLU", ""), STATUS_MODEL, "paths[1]: \"0\" is there twice");
}

/* Nothing is allocated for values when a model is opened; what runs it later must not fail for it.
 */
static void values_are_capped(void **state)
{
    (void)state;
    enum { SIDE = 8192 };
    fixture f;
    error err = {0};
    detector_head head;
    region *r = region_create(&allocator_default);
    assert_non_null(r);
    fixture_init(&f, SIDE, SIDE, 3);
    f.card.score_output = "none";
    graph *g = fixture_graph(&f, "{'class_name':'Sequential','config':["
                                 "{'class_name':'ReLU','config':{'name':'a'}},"
                                 "{'class_name':'ReLU','config':{'name':'b'}},"
                                 "{'class_name':'ReLU','config':{'name':'c'}},"
                                 "{'class_name':'ReLU','config':{'name':'d'}}]}");
    assert_int_equal(model_bind(r, &f.card, g, &head, &err), STATUS_MODEL); /* 5 * 192 Mi: fits */
    assert_non_null(strstr(err.text, "'none'"));
    graph_destroy(g);
    g = fixture_graph(&f, "{'class_name':'Sequential','config':["
                          "{'class_name':'ReLU','config':{'name':'a'}},"
                          "{'class_name':'ReLU','config':{'name':'b'}},"
                          "{'class_name':'ReLU','config':{'name':'c'}},"
                          "{'class_name':'ReLU','config':{'name':'d'}},"
                          "{'class_name':'ReLU','config':{'name':'e'}}]}");
    assert_int_equal(model_bind(r, &f.card, g, &head, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.text, "1207959552 elements"));
    graph_destroy(g);
    region_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_capped),
        cmocka_unit_test(a_shard_counts_once),
        cmocka_unit_test(values_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
