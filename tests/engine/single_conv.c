/* A network of one convolution and its plan. */
#include "tests/engine/single_conv.h"

void single_plan(single *s, plan_options options)
{
    plan_destroy(s->plan);
    s->plan = make_plan(s->b.g, &s->pre, NULL, options);
}

single single_make(uint32_t side, uint32_t inputs, uint32_t outputs, conv_options o,
                   plan_options options)
{
    single s = {.b = builder_make(inputs + outputs, side, side + 1, inputs)};
    int out = build_conv(&s.b, s.b.g->input, outputs, o);
    builder_outputs(&s.b, 1, &out);
    s.pre = preprocess_for(s.b.g);
    single_plan(&s, options);
    return s;
}

void single_free(single *s)
{
    plan_destroy(s->plan);
    graph_destroy(s->b.g);
}

const plan_step *single_step(const plan *p)
{
    for (size_t i = 0; i < p->step_count; i++) {
        if (p->steps[i].kernel == KERNEL_CONV2D) {
            return &p->steps[i];
        }
    }
    fail_msg("no convolution");
    return p->steps;
}
