/* The rig. */
#include "tests/cpu/rig.h"

bool rig_open(rig *r, const graph *g, const detector_head *head, vkdet_precision precision,
              uint32_t threads, uint32_t batch, bool keep_all)
{
    error err = {0};
    const shape s = g->values[g->input].shape;
    *r = (rig){.graph = g,
               .preprocess = {.width = s.dim[1],
                              .height = s.dim[0],
                              .channels = s.dim[2] == 1 ? CHANNELS_GRAY : CHANNELS_RGB,
                              .deviation = {1, 1, 1}}};
    r->params = (backend_params){.alloc = &allocator_default,
                                 .graph = g,
                                 .preprocess = &r->preprocess,
                                 .head = head,
                                 .max_batch = batch,
                                 .slots = 1,
                                 .max_detections = head ? 64 : 0,
                                 .keep_outputs = true,
                                 .keep_all = keep_all,
                                 .precision = precision,
                                 .threads = threads};
    if (precision == VKDET_PRECISION_BF16 && !cpu_has_bf16()) {
        assert_int_equal(cpu_backend_create(&r->params, &r->backend, &err), STATUS_UNSUPPORTED);
        return false;
    }
    assert_status_ok(cpu_backend_create(&r->params, &r->backend, &err), err);
    return true;
}

void rig_close(rig *r)
{
    r->backend->call->destroy(r->backend);
}

void rig_run_out_of_memory(const backend_params *params)
{
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        test_allocator a;
        test_allocator_init(&a, n);
        backend_params p = *params;
        p.alloc = &a.alloc;
        backend *b = NULL;
        error err = {0};
        const status s = cpu_backend_create(&p, &b, &err);
        failed = a.failed;
        assert_int_equal(s, failed ? STATUS_MEMORY : STATUS_OK);
        if (b) {
            b->call->destroy(b);
        }
        assert_int_equal(a.live, 0);
    }
}

pixels rig_tensor(const rig *r, const float *data)
{
    const shape s = r->graph->values[r->graph->input].shape;
    return (pixels){PIXEL_TENSOR_F32, s.dim[1], s.dim[0],
                    (size_t)s.dim[1] * s.dim[2] * sizeof *data, data};
}

void rig_run(rig *r, const pixels *images, uint32_t count)
{
    error err = {0};
    const backend_request request = {images, count, {NMS_TFJS, 0.5, 0.5, 64}};
    assert_status_ok(r->backend->call->submit(r->backend, 0, &request, &err), err);
    assert_status_ok(r->backend->call->wait(r->backend, 0, 0, &err), err);
}

float *rig_input(const graph *g, uint64_t seed)
{
    const size_t count = (size_t)shape_elements(g->values[g->input].shape);
    test_random random = test_random_seed(seed);
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        data[i] = test_random_float(&random, -2.0f, 2.0f);
    }
    return data;
}

reference_values rig_values(const graph *g)
{
    error err = {0};
    reference_values v;
    assert_status_ok(reference_values_create(g, &allocator_default, &v, &err), err);
    return v;
}

static void compare_value(const char *name, const value *v, const float *got, const float *want,
                          const float *bound)
{
    const uint64_t count = shape_elements(v->shape);
    for (uint64_t e = 0; e < count; e++) {
        if (!(fabs((double)got[e] - (double)want[e]) <= (double)bound[e])) {
            fail_msg("%s: %s, element %llu of %llu: %.9g instead of %.9g, bound %.3g", name,
                     v->name, (unsigned long long)e, (unsigned long long)count, (double)got[e],
                     (double)want[e], (double)bound[e]);
        }
    }
}

void rig_compare(const char *name, const graph *g, vkdet_precision precision,
                 const reference_values *got)
{
    error err = {0};
    reference_values want = rig_values(g), bound = rig_values(g);
    bool *is_bf16 = calloc(g->value_count, sizeof *is_bf16);
    assert_non_null(is_bf16);
    if (precision == VKDET_PRECISION_BF16) {
        cpu_choose_bf16(g, is_bf16);
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; k < n->input_count; k++) {
            const int v = n->inputs[k];
            memcpy(want.data[v], got->data[v], shape_elements(g->values[v].shape) * sizeof(float));
        }
        assert_status_ok(reference_run_node(g, i, &want, &bound, &err), err);
        for (int k = 0; k < n->output_count; k++) {
            const int v = n->outputs[k];
            if (v == GRAPH_NONE) {
                continue;
            }
            if (is_bf16[v]) {
                reference_widen_for_bf16(want.data[v], bound.data[v],
                                         shape_elements(g->values[v].shape));
            }
            compare_value(name, &g->values[v], got->data[v], want.data[v], bound.data[v]);
        }
    }
    free(is_bf16);
    reference_values_destroy(&want);
    reference_values_destroy(&bound);
}
