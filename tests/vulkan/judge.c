/* What tests hold a network's steps to. */
#include "tests/vulkan/judge.h"

session *session_behind(network *n)
{
    return (session *)(void *)n->backend;
}

void read_values(network *n, uint32_t image, reference_values *out)
{
    error err = {0};
    for (size_t v = 0; v < n->graph->value_count; v++) {
        if (n->plan->value_buffer[v] != GRAPH_NONE) {
            assert_status_ok(
                n->backend->call->read_value(n->backend, 0, image, (int)v, out->data[v], &err),
                err);
        }
    }
}

static bool is_half(const plan *p, int v)
{
    return p->buffers[p->value_buffer[v]].element == ELEMENT_F16;
}

void compare_node(const char *name, const plan *p, size_t index, const reference_values *got_values,
                  reference_values *expected, reference_values *bound)
{
    error err = {0};
    const graph *g = p->graph;
    const node *n = &g->nodes[index];
    for (int i = 0; i < n->input_count; i++) {
        const int v = n->inputs[i];
        memcpy(expected->data[v], got_values->data[v],
               shape_elements(g->values[v].shape) * sizeof(float));
    }
    const status s = plan_node_is_winograd(p, (int)index)
                         ? reference_run_winograd(g, index, 0, expected, bound, &err)
                         : reference_run_node(g, index, expected, bound, &err);
    assert_status_ok(s, err);
    for (int o = 0; o < n->output_count; o++) {
        const int v = n->outputs[o];
        if (v == GRAPH_NONE) {
            continue;
        }
        const uint64_t count = shape_elements(g->values[v].shape);
        if (plan_value_on_matrices(p, v)) {
            reference_widen_for_matrices(bound->data[v], count);
        }
        if (is_half(p, v)) {
            reference_widen_for_halves(expected->data[v], bound->data[v], count);
        }
        for (uint64_t e = 0; e < count; e++) {
            const double got = (double)got_values->data[v][e], want = (double)expected->data[v][e];
            const double most = (double)bound->data[v][e];
            if (!(fabs(got - want) <= most)) {
                fail_msg("%s: node %s, output %d, element %llu of %llu: %.9g instead of %.9g, "
                         "error %.3g, bound %.3g",
                         name, n->name, o, (unsigned long long)e, (unsigned long long)count, got,
                         want, fabs(got - want), most);
            }
        }
    }
}

void assert_no_overrun(const char *name, network *n, uint32_t batch)
{
    error err = {0};
    session *s = session_behind(n);
    const plan *p = n->plan;
    for (size_t i = 0; i < p->buffer_count; i++) {
        const plan_buffer *b = &p->buffers[i];
        if (b->value == GRAPH_NONE) {
            continue;
        }
        uint32_t h = 0, w = 0, c = 0;
        shape_hwc(n->graph->values[b->value].shape, &h, &w, &c);
        const uint64_t used =
            (uint64_t)h * w * b->pixel_stride / (b->element == ELEMENT_F16 ? 2 : 1);
        for (uint32_t image = 0; image < batch; image++) {
            const arena_run run = {b->offset * batch + image * b->words, b->words};
            const uint32_t *words = NULL;
            assert_status_ok(transfer_read_arena(s, &s->slots[0], &run, 1, &words, &err), err);
            for (uint64_t k = used; k < b->words; k++) {
                if (words[k] != POISON) {
                    fail_msg("%s: batch %u: %s of picture %u was overrun by %llu words", name,
                             batch, b->name, image, (unsigned long long)(k - used + 1));
                }
            }
        }
    }
    const uint64_t end = p->arena_words * batch, all = p->arena_words * n->max_batch;
    const uint64_t room = s->transfer.host.bytes / 4;
    for (uint64_t at = end; at < all; at += room) {
        const arena_run run = {at, all - at < room ? all - at : room};
        const uint32_t *words = NULL;
        assert_status_ok(transfer_read_arena(s, &s->slots[0], &run, 1, &words, &err), err);
        for (uint64_t k = 0; k < run.count; k++) {
            if (words[k] != POISON) {
                fail_msg("%s: batch %u: word %llu behind the arena was written", name, batch,
                         (unsigned long long)(at + k - end));
            }
        }
    }
}

void fill_input(float *data, uint64_t count, uint64_t seed)
{
    test_random r = test_random_seed(seed);
    for (uint64_t i = 0; i < count; i++) {
        data[i] = test_random_float(&r, -2.0f, 2.0f);
    }
}
