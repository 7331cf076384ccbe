/* What holds for every plan. */
#include "tests/engine/plan_check.h"

#include "shaders/shaders.h"

preprocess preprocess_for(const graph *g)
{
    const shape s = g->values[g->input].shape;
    return (preprocess){.height = s.dim[0], .width = s.dim[1], .deviation = {1, 1, 1}};
}

plan *make_plan(const graph *g, const preprocess *pre, const detector_head *head,
                plan_options options)
{
    error err = {0};
    plan *p = NULL;
    assert_status_ok(plan_create(&allocator_default, g, pre, head, &options, &p, &err), err);
    return p;
}

const plan_step *find_step(const plan *p, const char *module)
{
    for (size_t i = 0; i < p->step_count; i++) {
        if (strcmp(p->steps[i].shader, module) == 0) {
            return &p->steps[i];
        }
    }
    fail_msg("no step runs %s", module);
    return NULL;
}

float *packed_weights(const plan *p)
{
    float *words = malloc(p->weight_words * sizeof *words);
    assert_non_null(words);
    plan_pack_weights(p, words);
    return words;
}

static bool is_base(const graph *g, int v)
{
    for (size_t i = 0; v != GRAPH_NONE && i < g->value_count; i++) {
        if (g->values[i].base == v) {
            return true;
        }
    }
    return false;
}

static bool touches(const int *operands, uint32_t count, int buffer)
{
    for (uint32_t i = 0; i < count; i++) {
        if (operands[i] == buffer) {
            return true;
        }
    }
    return false;
}

/* Written at a lower level; and where several steps write one storage (heads in a concatenated
 * output), none of them at the level of a step that reads all of it. */
static void check_written_before(const plan *p, const plan_step *reader, int buffer)
{
    bool written = false, at_once = false;
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        if (touches(s->writes, s->write_count, buffer)) {
            written = written || s->level < reader->level;
            at_once = at_once || (s != reader && s->level == reader->level);
        }
    }
    if (!written || (at_once && !is_base(p->graph, p->buffers[buffer].value))) {
        fail_msg("step %s reads buffer %s before it is written", reader->name,
                 p->buffers[buffer].name);
    }
}

static void check_offsets(const plan *p, const plan_step *s)
{
    for (uint32_t w = 0; w < PLAN_MAX_PUSH; w++) {
        if (!(s->push_scaled >> w & 1u)) {
            continue;
        }
        assert_true(w < s->push_count);
        bool known = false;
        for (uint32_t i = 0; i < s->read_count; i++) {
            known = known || p->buffers[s->reads[i]].offset == s->push[w];
        }
        for (uint32_t i = 0; i < s->write_count; i++) {
            known = known || p->buffers[s->writes[i]].offset == s->push[w];
        }
        if (!known) {
            fail_msg("step %s: push word %u is no operand's offset", s->name, w);
        }
    }
}

static void check_step(const plan *p, const plan_step *s, const plan_step *before)
{
    assert_true(shader_find(s->shader) != NULL);
    assert_true(s->variant && s->variant[0]);
    assert_true(s->level < p->level_count && (!before || before->level <= s->level));
    assert_true(s->push_count <= PLAN_MAX_PUSH && s->constant_count >= 3);
    const uint32_t most = p->options.target.max_invocations;
    assert_true(s->constants[0] * s->constants[1] * s->constants[2] <= (most ? most : 128) ||
                s->kernel == KERNEL_SORT);
    for (int i = 0; i < 3; i++) {
        assert_true(s->groups[i] >= 1 && s->groups[i] <= 65535);
    }
    for (uint32_t i = 0; i < s->read_count; i++) {
        const plan_buffer *b = &p->buffers[s->reads[i]];
        assert_true(b->first_level <= s->level && s->level <= b->last_level);
        check_written_before(p, s, s->reads[i]);
    }
    for (uint32_t i = 0; i < s->write_count; i++) {
        const plan_buffer *b = &p->buffers[s->writes[i]];
        assert_true(b->first_level <= s->level && s->level <= b->last_level);
    }
    check_offsets(p, s);
}

static void check_buffers(const plan *p)
{
    for (size_t i = 0; i < p->buffer_count; i++) {
        const plan_buffer *a = &p->buffers[i];
        assert_int_equal(a->words % PLAN_ALIGN_WORDS, 0);
        assert_int_equal(a->offset % PLAN_ALIGN_WORDS, 0);
        assert_true(a->offset + a->words <= p->arena_words);
        assert_true(a->element == ELEMENT_F32 ||
                    (p->options.precision == PLAN_FP16 && a->pixel_stride % 4 == 0));
        for (size_t k = 0; k < i; k++) {
            const plan_buffer *b = &p->buffers[k];
            bool together = a->first_level <= b->last_level && b->first_level <= a->last_level;
            bool apart = a->offset + a->words <= b->offset || b->offset + b->words <= a->offset;
            if (together && !apart) {
                fail_msg("buffers %s and %s overlap", a->name, b->name);
            }
        }
    }
}

static uint64_t buffer_elements(const plan_buffer *b)
{
    return b->element == ELEMENT_F16 ? 2 * b->words : b->words;
}

/* every value that a node makes or the graph hands out has storage large enough */
static void check_values(const plan *p)
{
    const graph *g = p->graph;
    for (size_t v = 0; v < g->value_count; v++) {
        int buffer = p->value_buffer[v];
        if (buffer == GRAPH_NONE) {
            continue;
        }
        uint32_t h, w, c;
        shape_hwc(g->values[v].shape, &h, &w, &c);
        const plan_buffer *b = &p->buffers[buffer];
        if (g->values[v].base == GRAPH_NONE) {
            assert_true(b->pixel_stride >= c &&
                        (uint64_t)h * w * b->pixel_stride <= buffer_elements(b));
            assert_true(b->pixel_stride == c || b->pixel_stride == (c + 3) / 4 * 4);
            assert_true(!is_base(g, (int)v) || b->pixel_stride == c);
        } else {
            assert_int_equal(buffer, p->value_buffer[g->values[v].base]);
            assert_true(g->values[v].base_offset + shape_elements(g->values[v].shape) <=
                        buffer_elements(b));
            assert_true(b->element == ELEMENT_F32 ||
                        (g->values[v].base_offset % 4 == 0 && c % 4 == 0));
        }
    }
    for (size_t i = 0; i < g->output_count; i++) {
        int buffer = p->value_buffer[g->outputs[i]];
        assert_true(buffer != GRAPH_NONE);
        assert_int_equal(p->buffers[buffer].element, ELEMENT_F32);
        assert_true(!p->options.keep_outputs ||
                    p->buffers[buffer].last_level == p->level_count - 1);
    }
}

void check_plan(const plan *p)
{
    for (size_t i = 0; i < p->step_count; i++) {
        check_step(p, &p->steps[i], i ? &p->steps[i - 1] : NULL);
    }
    check_buffers(p);
    check_values(p);
    float *words = malloc((p->weight_words + 1) * sizeof *words);
    assert_non_null(words);
    words[p->weight_words] = 12345.0f;
    plan_pack_weights(p, words);
    assert_true(words[p->weight_words] == 12345.0f);
    free(words);
}
