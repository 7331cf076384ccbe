/* Convolutions with groups whose channels do not come in fours: one invocation an output. */
#include "engine/plan/conv.h"

enum { GROUPED_INVOCATIONS = 64 };

static status emit_grouped(builder *b, const convolution *c, const conv_candidate *chosen)
{
    (void)chosen;
    const branch *br = &c->branches[0];
    const window *w = &c->window;
    uint32_t inputs = br->source.channels / c->groups;
    uint64_t filter = element_words(b->weight_element,
                                    (uint64_t)w->kernel_h * w->kernel_w * inputs * br->channels);
    plan_pack *pack;
    status s = builder_pack(b, PACK_GROUPED, filter + br->channels, &pack);
    if (s != STATUS_OK) {
        return s;
    }
    pack->weights[0] = br->kernel;
    pack->weights[1] = br->bias;
    bool padded = br->map.stride > br->channels && br->map.stride == round_up4(br->channels);
    struct conv2d_grouped_push push = {
        .source = operand_make(b, &br->source),
        .target = operand_make(b, &br->map),
        .act = activation_make(br->act),
        .source_width = br->source.width,
        .source_height = br->source.height,
        .width = c->width,
        .height = c->height,
        .channels = br->channels,
        .padded_channels = padded ? br->map.stride : br->channels,
        .pad = w->pad_top << 16 | w->pad_left,
        .kernel = w->kernel_h << 16 | w->kernel_w,
        .stride = w->stride_h << 16 | w->stride_w,
        .dilation = w->dilation_h << 16 | w->dilation_w,
        .group_source_channels = inputs,
        .group_channels = br->channels / c->groups,
        .weights = (uint32_t)pack->offset,
        .bias = (uint32_t)(pack->offset + filter),
    };
    uint64_t words = pack->words;
    plan_step *step;
    s = builder_step(b, KERNEL_CONV2D, "conv2d_grouped", c->node, c->name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct conv2d_grouped_push, source), &br->source);
    step_operand(step, offsetof(struct conv2d_grouped_push, target), &br->map);
    step_constant(step, SPEC_CONV2D_GROUPED_HALF,
                  place_halves(&br->source, NULL) | weight_halves(b));
    step->variant = "grouped";
    conv_account(step, c, br, words);
    uint64_t outputs = (uint64_t)c->height * c->width * push.padded_channels;
    s = step_groups(b, step, GROUPED_INVOCATIONS,
                    (outputs + GROUPED_INVOCATIONS - 1) / GROUPED_INVOCATIONS);
    step_finish(b, step);
    return s;
}

static void propose_grouped(const builder *b, const convolution *c, conv_candidates *out)
{
    (void)b;
    if (!conv_in_fours(c, &c->branches[0]) && c->repeat == 0) {
        conv_propose(out, &(conv_candidate){.family = &conv_grouped});
    }
}

const conv_family conv_grouped = {propose_grouped, emit_grouped};
