/* The card: the parser against the schema and the example of models/CARD.md, member by member. */
#include "tests/models/fixture.h"

#include <jansson.h>

/* the card in CARD.md, which has every member */
static json_t *example(void)
{
    size_t size = 0;
    char *text = (char *)test_read_file(TEST_SOURCE_DIR "/models/CARD.md", &size);
    assert_non_null(text);
    char *begin = strstr(text, "```json");
    char *end = begin ? strstr(begin + 7, "```") : NULL;
    assert_non_null(end);
    json_t *card_value = json_loadb(begin + 7, (size_t)(end - begin) - 7, 0, NULL);
    assert_non_null(card_value);
    free(text);
    return card_value;
}

static json_t *schema(void)
{
    json_t *root = json_load_file(TEST_SOURCE_DIR "/models/card.schema.json", 0, NULL);
    assert_non_null(root);
    return root;
}

static status parse_text(const char *text, size_t size, card *out, region *r, error *err)
{
    /* not terminated, and whatever follows must not matter */
    char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, text, size);
    status s = card_parse(r, exact, size, out, err);
    free(exact);
    return s;
}

static status parse(const json_t *value_of_card, error *err)
{
    card c;
    region *r = region_create(&allocator_default);
    char *text = json_dumps(value_of_card, JSON_ENCODE_ANY);
    assert_non_null(r);
    assert_non_null(text);
    *err = (error){0};
    status s = parse_text(text, strlen(text), &c, r, err);
    free(text);
    region_destroy(r);
    return s;
}

static void expect_good(const json_t *whole, const char *what)
{
    error err;
    if (parse(whole, &err) != STATUS_OK) {
        fail_msg("%s: %s", what, err.text);
    }
}

static void expect_bad(const json_t *whole, const char *place, const char *what)
{
    error err;
    status s = parse(whole, &err);
    if (s == STATUS_OK) {
        fail_msg("%s: was accepted", what);
    }
    if (strncmp(err.text, place, strlen(place)) != 0) {
        fail_msg("%s: the message does not begin with '%s': %s", what, place, err.text);
    }
}

/* --- walking card and schema together --- */

static bool is_type(const json_t *rule, const char *type)
{
    const char *has = json_string_value(json_object_get(rule, "type"));
    return has && strcmp(has, type) == 0;
}

static bool requires(const json_t *rule, const char *key)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(rule, "required"), i, name)
    {
        if (strcmp(json_string_value(name), key) == 0) {
            return true;
        }
    }
    return false;
}

/* Puts `replacement` (stolen; NULL removes) in the place of a member and puts the old one back. */
typedef struct slot {
    json_t *whole, *parent;
    const char *key; /* NULL: item `index` */
    size_t index;
    char place[256];
    bool needed;
} slot;

static json_t *swap_in(const slot *s, json_t *replacement)
{
    json_t *old = s->key ? json_object_get(s->parent, s->key) : json_array_get(s->parent, s->index);
    json_incref(old);
    if (!replacement) {
        assert_int_equal(json_object_del(s->parent, s->key), 0);
    } else if (s->key) {
        assert_int_equal(json_object_set_new(s->parent, s->key, replacement), 0);
    } else {
        assert_int_equal(json_array_set_new(s->parent, s->index, replacement), 0);
    }
    return old;
}

static void try_bad(const slot *s, json_t *replacement, const char *place, const char *what)
{
    char text[320];
    json_t *old = swap_in(s, replacement);
    (void)snprintf(text, sizeof text, "%s %s", s->place, what);
    expect_bad(s->whole, place, text);
    json_decref(swap_in(s, old));
}

static void try_good(const slot *s, json_t *replacement, const char *what)
{
    char text[320];
    json_t *old = swap_in(s, replacement);
    (void)snprintf(text, sizeof text, "%s %s", s->place, what);
    expect_good(s->whole, text);
    json_decref(swap_in(s, old));
}

static void check_value(const slot *s, const json_t *at, const json_t *rule);

static void check_members(const slot *s, json_t *at, const json_t *rule)
{
    const char *key;
    json_t *member_rule, *copy = json_deep_copy(json_object_get(rule, "properties"));
    assert_true(json_is_false(json_object_get(rule, "additionalProperties")));
    json_object_foreach(copy, key, member_rule)
    {
        slot member = {.whole = s->whole, .parent = at, .key = key};
        (void)snprintf(member.place, sizeof member.place, "%.100s%s%.100s", s->place,
                       s->place[0] ? "." : "", key);
        if (!json_object_get(at, key)) {
            fail_msg("the example lacks %s", member.place);
        }
        /* what detection needs besides is named in the schema's `then` */
        member.needed = requires(rule, key) || strcmp(key, "boxes") == 0 ||
                        strcmp(key, "anchors") == 0 || strcmp(key, "coding") == 0 ||
                        strcmp(key, "nms") == 0;
        if (member.needed) {
            try_bad(&member, NULL, member.place, "removed");
        } else {
            try_good(&member, NULL, "removed");
        }
        check_value(&member, json_object_get(at, key), member_rule);
    }
    json_object_foreach(at, key, member_rule)
    {
        if (!json_object_get(copy, key)) {
            fail_msg("the schema lacks %s.%s", s->place, key);
        }
    }
    char place[320];
    (void)snprintf(place, sizeof place, "%s%sextra: no such member", s->place,
                   s->place[0] ? "." : "");
    assert_int_equal(json_object_set_new(at, "extra", json_integer(1)), 0);
    expect_bad(s->whole, place, place);
    assert_int_equal(json_object_del(at, "extra"), 0);
    json_decref(copy);
}

static void check_number(const slot *s, const json_t *rule)
{
    double least = json_number_value(json_object_get(rule, "minimum"));
    double most = json_number_value(json_object_get(rule, "maximum"));
    bool whole = is_type(rule, "integer");
    /* members that other members limit further have their least value tried only; a map that is
     * made larger makes other anchors, which is none of the card's business */
    assert_non_null(json_object_get(rule, "minimum"));
    try_good(s, whole ? json_integer((json_int_t)least) : json_real(least), "at its least");
    try_bad(s, whole ? json_integer((json_int_t)least - 1) : json_real(least - 1e-9 - 1e-9 * most),
            s->place, "below its least");
    try_bad(s, whole ? json_integer((json_int_t)most + 1) : json_real(most * 1.001), s->place,
            "above its most");
    try_bad(s, json_string("1"), s->place, "as a string");
    if (whole) {
        try_bad(s, json_real(least + 0.5), s->place, "with a fraction");
    }
}

static void check_string(const slot *s, const json_t *rule)
{
    json_t *choices = json_object_get(rule, "enum"), *choice;
    json_int_t most = json_integer_value(json_object_get(rule, "maxLength"));
    size_t i;
    json_array_foreach(choices, i, choice)
    {
        /* these two change what else must be there */
        if (strcmp(json_string_value(choice), "gray") != 0 &&
            strcmp(json_string_value(choice), "classify") != 0) {
            try_good(s, json_incref(choice), json_string_value(choice));
        }
    }
    try_bad(s, json_string(""), s->place, "empty");
    try_bad(s, json_integer(1), s->place, "as a number");
    if (choices || json_object_get(rule, "pattern")) {
        try_bad(s, json_string("something else"), s->place, "as something else");
    }
    if (most > 0) {
        char *text = calloc(1, (size_t)most + 2);
        assert_non_null(text);
        memset(text, 'x', (size_t)most);
        try_good(s, json_string(text), "at its longest");
        text[most] = 'x';
        try_bad(s, json_string(text), s->place, "too long");
        free(text);
    }
}

static void check_value(const slot *s, const json_t *at, const json_t *rule)
{
    try_bad(s, json_null(), s->place, "null");
    if (is_type(rule, "object")) {
        try_bad(s, json_array(), s->place, "as an array");
        check_members(s, (json_t *)at, rule);
    } else if (is_type(rule, "array")) {
        size_t i;
        json_t *item;
        const json_t *item_rule = json_object_get(rule, "items");
        try_bad(s, json_object(), s->place, "as an object");
        try_bad(s, json_array(), s->place, "empty");
        json_array_foreach(at, i, item)
        {
            slot child = {.whole = s->whole, .parent = (json_t *)at, .index = i, .needed = true};
            (void)snprintf(child.place, sizeof child.place, "%.200s[%zu]", s->place, i);
            check_value(&child, item, item_rule);
        }
    } else if (is_type(rule, "boolean")) {
        try_good(s, json_true(), "true");
        try_bad(s, json_integer(0), s->place, "as a number");
    } else if (is_type(rule, "string")) {
        check_string(s, rule);
    } else {
        check_number(s, rule);
    }
}

static void parser_and_schema_agree(void **state)
{
    (void)state;
    json_t *whole = example(), *rules = schema();
    slot root = {.whole = whole};
    expect_good(whole, "the example");
    check_members(&root, whole, rules);
    json_decref(whole);
    json_decref(rules);
}

/* --- the meaning --- */

static void example_means_what_it_says(void **state)
{
    (void)state;
    card c;
    error err = {0};
    region *r = region_create(&allocator_default);
    json_t *whole = example();
    char *text = json_dumps(whole, 0);
    assert_non_null(r);
    assert_status_ok(parse_text(text, strlen(text), &c, r, &err), err);
    assert_true(c.detects);
    assert_string_equal(c.name, "example");
    assert_string_equal(c.files[0].file, "model.json");
    assert_int_equal(c.preprocess.width, 320);
    assert_int_equal(c.preprocess.height, 240);
    assert_int_equal(c.preprocess.channels, CHANNELS_RGB);
    assert_int_equal(c.preprocess.fit, FIT_LETTERBOX);
    assert_int_equal(c.preprocess.sampling, SAMPLING_BILINEAR_HALF_PIXEL);
    assert_true(c.preprocess.fill == 114 && c.preprocess.mean[2] == 127.5f);
    assert_string_equal(c.score_output, "class_scores");
    assert_string_equal(c.loc_output, "box_codes");
    assert_int_equal(c.class_count, 3);
    assert_int_equal(c.background, 0);
    assert_true(c.fit.fp16 && !c.fit.bf16);
    assert_int_equal(c.label_count, 2);
    assert_string_equal(c.labels[1].language, "zh");
    assert_string_equal(c.labels[1].names[1], "佩戴口罩");
    assert_int_equal(c.anchors.combine, ANCHORS_FIRST);
    assert_int_equal(c.anchors.level_count, 2);
    assert_int_equal(c.anchors.levels[1].map_height, 15);
    assert_int_equal(c.anchors.levels[1].map_width, 20);
    assert_true(c.anchors.levels[1].sizes[1] == 0.4 && c.anchors.levels[0].ratios[1] == 0.62);
    assert_int_equal(anchors_count(&c.anchors), 3 * (30 * 40 + 15 * 20));
    assert_true(c.variance[1] == 0.1f && c.variance[3] == 0.2f);
    assert_int_equal(c.nms.mode, NMS_TFJS);
    assert_true(c.nms.score_threshold == 0.5 && c.nms.iou_threshold == 0.5);
    assert_int_equal(c.nms.max_detections, 100);
    free(text);
    json_decref(whole);
    region_destroy(r);
}

static void optional_members_have_defaults(void **state)
{
    (void)state;
    card c;
    error err = {0};
    region *r = region_create(&allocator_default);
    char *text = fixture_card(224, 192, "out", 2);
    assert_non_null(r);
    assert_status_ok(parse_text(text, strlen(text), &c, r, &err), err);
    assert_false(c.detects);
    assert_string_equal(c.description, "");
    assert_int_equal(c.file_count, 0);
    assert_int_equal(c.background, -1);
    assert_false(c.fit.fp16 || c.fit.bf16);
    assert_int_equal(c.class_count, 2);
    assert_int_equal(c.preprocess.height, 224);
    free(text);
    region_destroy(r);
}

/* rules between members, which a schema cannot tell or only at length */
static void members_must_fit_each_other(void **state)
{
    (void)state;
    static const struct {
        const char *object, *key, *json, *place;
    } cases[] = {
        {"input", "channels", "'gray'", "input.mean: has 3 items, not 1"},
        {"input", "mean", "[1]", "input.mean: has 1 items, not 3"},
        {"", "background", "3", "background: is 3, not 0 to 2"},
        {"", "labels", "[{'language':'en','names':['a']},{'language':'en','names':['a']}]",
         "labels[1].language: \"en\" is there twice"},
        {"", "labels", "[{'language':'en','names':['a']},{'language':'zh','names':['a','b']}]",
         "labels[1].names: has 2 items, not 1"},
        {"nms", "max_detections", "4501", "nms.max_detections: is 4501, not 1 to 4500"},
        {"anchors", "levels", "[{'map':[4096,4096],'sizes':[1],'ratios':[1]}]",
         "anchors.levels: make 16777216 anchors"},
        {"", "files",
         "[{'file':'../a','sha256':'e3b0c44298fc1c149afbf4c8996fb924"
         "27ae41e4649b934ca495991b7852b855'}]",
         "files[0].file: \"../a\" is not a path inside"},
        {"", "files",
         "[{'file':'a','sha256':'E3B0c44298fc1c149afbf4c8996fb924"
         "27ae41e4649b934ca495991b7852b855'}]",
         "files[0].sha256: is not 64"},
        {"", "task", "'classify'", "background: no such member"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *whole = example();
        json_t *object = cases[i].object[0] ? json_object_get(whole, cases[i].object) : whole;
        char *text = fixture_quoted(cases[i].json);
        json_t *wrong = json_loads(text, JSON_DECODE_ANY, NULL);
        assert_non_null(wrong);
        assert_int_equal(json_object_set_new(object, cases[i].key, wrong), 0);
        expect_bad(whole, cases[i].place, cases[i].place);
        free(text);
        json_decref(whole);
    }
}

static void texts_are_checked(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "{",           "[]",  "{}",
                                        "null",     "{'a':1}",     "{}x", "{'schema':1,'schema':1}",
                                        "\xff\xfe", "{'schema':2}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        card c;
        error err = {0};
        char *text = fixture_quoted(texts[i]);
        region *r = region_create(&allocator_default);
        assert_int_equal(parse_text(text, strlen(text), &c, r, &err), STATUS_MODEL);
        assert_true(err.text[0] != 0);
        region_destroy(r);
        free(text);
    }
    card c;
    error err = {0};
    size_t size = (1 << 20) + 1;
    char *large = calloc(1, size);
    region *r = region_create(&allocator_default);
    assert_int_equal(parse_text(large, size, &c, r, &err), STATUS_LIMIT);
    region_destroy(r);
    free(large);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    json_t *whole = example();
    char *text = json_dumps(whole, 0);
    for (size_t n = 1;; n++) {
        card c;
        error err = {0};
        test_allocator t;
        test_allocator_init(&t, n);
        region *r = region_create(&t.alloc);
        status s = r ? parse_text(text, strlen(text), &c, r, &err) : STATUS_MEMORY;
        region_destroy(r);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_status_ok(s, err);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
    }
    free(text);
    json_decref(whole);
}

static void cards_of_the_house_are_good(void **state)
{
    (void)state;
    card c;
    error err = {0};
    size_t size = 0;
    unsigned char *text = test_read_file(TEST_SOURCE_DIR "/models/cards/aizoo-260.json", &size);
    region *r = region_create(&allocator_default);
    assert_non_null(text);
    assert_status_ok(parse_text((char *)text, size, &c, r, &err), err);
    assert_int_equal(anchors_count(&c.anchors), 5972);
    region_destroy(r);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parser_and_schema_agree),
        cmocka_unit_test(example_means_what_it_says),
        cmocka_unit_test(optional_members_have_defaults),
        cmocka_unit_test(members_must_fit_each_other),
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(cards_of_the_house_are_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
