/* Making a program: the type and place of every value, the steps and their levels. */
#include "host/cpu/program.h"

#include "engine/plan.h"
#include "host/cpu/cpu.h"
#include "host/cpu/team.h"

#include <string.h>

size_t element_bytes(element e)
{
    return e == IN_BF16 ? 2 : 4;
}

size_t tensor_row_bytes(const tensor *t)
{
    return (size_t)t->width * t->channels * element_bytes(t->element);
}

void *align_up(void *memory)
{
    return (unsigned char *)memory + (CACHE_LINE - (uintptr_t)memory % CACHE_LINE) % CACHE_LINE;
}

/* --- types --- */

static bool convolves(op o)
{
    return o == OP_CONV2D || o == OP_DEPTHWISE || o == OP_DENSE;
}

static status choose_elements(program *p, element wanted, error *err)
{
    const graph *g = p->graph;
    bool *is_bf16 = memory_allocate(&p->alloc, g->value_count, sizeof *is_bf16);
    if (!is_bf16) {
        return error_set(err, STATUS_MEMORY, "out of memory for the values of a network");
    }
    cpu_choose_bf16(g, is_bf16);
    for (size_t v = 0; v < g->value_count; v++) {
        p->tensors[v].element = wanted == IN_BF16 && is_bf16[v] ? IN_BF16 : IN_F32;
    }
    memory_release(&p->alloc, is_bf16);
    return STATUS_OK;
}

/* --- levels and places --- */

/* by storage: the first and the last level at which it is written or read */
typedef struct life {
    uint32_t first, last;
    bool written;
} life;

static void note_write(const graph *g, life *lives, int v, uint32_t level)
{
    life *l = &lives[graph_storage(g, v)];
    l->first = l->written && l->first < level ? l->first : level;
    l->last = l->last > level ? l->last : level;
    l->written = true;
}

/* The last level at which something is read, over all that node i and those before it read; answers
 * the level that must be done by then. Called with `level` 0 it only answers. */
static uint32_t read_inputs(const program *p, size_t index, life *lives, const uint32_t *written,
                            uint32_t level)
{
    const graph *g = p->graph;
    uint32_t after = 0;
    for (int i = (int)index; i != GRAPH_NONE; i = p->before[i]) {
        const node *n = &g->nodes[i];
        const int passed_on =
            p->before[i] == GRAPH_NONE ? GRAPH_NONE : g->nodes[p->before[i]].outputs[0];
        for (int k = 0; k < n->input_count; k++) {
            const int storage = graph_storage(g, n->inputs[k]);
            life *l = &lives[storage];
            if (n->inputs[k] != passed_on) {
                after = written[storage] > after ? written[storage] : after;
                l->last = l->last > level ? l->last : level;
            }
        }
    }
    return after;
}

/* Level 0 is the preprocessing; a node comes one after all that writes what it reads. */
static void find_levels(program *p, life *lives, uint32_t *node_level)
{
    const graph *g = p->graph;
    note_write(g, lives, g->input, 0);
    p->level_count = 1;
    uint32_t *written = node_level + g->node_count; /* by storage */
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        if (p->absorbed[i]) {
            continue;
        }
        const uint32_t level = read_inputs(p, i, lives, written, 0) + 1;
        (void)read_inputs(p, i, lives, written, level);
        node_level[i] = level;
        p->level_count = level + 1 > p->level_count ? level + 1 : p->level_count;
        for (int k = 0; k < n->output_count; k++) {
            if (n->outputs[k] != GRAPH_NONE) {
                const int storage = graph_storage(g, n->outputs[k]);
                written[storage] = written[storage] > level ? written[storage] : level;
                note_write(g, lives, n->outputs[k], level);
            }
        }
    }
}

/* it lies in a thread's band, and only there */
static bool is_passed_on(const program *p, size_t index)
{
    return p->absorbed[index] && !p->keep_all;
}

static status place_values(program *p, const life *lives, error *err)
{
    const graph *g = p->graph;
    const bool keep_all = p->keep_all;
    arena_request *requests = memory_allocate(&p->alloc, g->value_count, sizeof *requests);
    if (!requests) {
        return error_set(err, STATUS_MEMORY, "out of memory for the values of a network");
    }
    for (size_t v = 0; v < g->value_count; v++) {
        tensor *t = &p->tensors[v];
        shape_hwc(g->values[v].shape, &t->height, &t->width, &t->channels);
        if (g->values[v].base == GRAPH_NONE) {
            const uint64_t bytes = shape_elements(g->values[v].shape) * element_bytes(t->element);
            requests[v] = (arena_request){
                .words = (bytes + 255) / 256 * 64,
                .first_level = keep_all ? 0 : lives[v].first,
                .last_level = keep_all ? p->level_count : lives[v].last,
            };
        }
        const size_t floats = (size_t)t->width * t->channels;
        p->row_floats = floats > p->row_floats ? floats : p->row_floats;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        if (is_passed_on(p, i)) {
            requests[g->nodes[i].outputs[0]].words = 0;
        }
    }
    for (size_t i = 0; i < g->output_count; i++) {
        requests[graph_storage(g, g->outputs[i])].last_level = p->level_count;
    }
    uint64_t words = 0;
    const status code = arena_place(&p->alloc, requests, g->value_count, &words, err);
    for (size_t v = 0; code == STATUS_OK && v < g->value_count; v++) {
        const value *in = &g->values[v];
        const size_t base = (size_t)graph_storage(g, (int)v);
        p->tensors[v].offset =
            (size_t)(requests[base].offset * 4 + (in->base == GRAPH_NONE ? 0 : in->base_offset) *
                                                     element_bytes(p->tensors[v].element));
    }
    p->arena_bytes = (size_t)words * 4;
    memory_release(&p->alloc, requests);
    return code;
}

/* --- steps --- */

static uint64_t value_bytes(const program *p, const int *values, int count)
{
    uint64_t bytes = 0;
    for (int i = 0; i < count; i++) {
        if (values[i] != GRAPH_NONE) {
            bytes += shape_elements(p->graph->values[values[i]].shape) *
                     element_bytes(p->tensors[values[i]].element);
        }
    }
    return bytes;
}

static const char *kernel_of(op o)
{
    switch (o) {
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
    case OP_GLOBAL_AVERAGE:
        return "pool";
    case OP_BATCH_NORM:
    case OP_ACTIVATION:
    case OP_PRELU:
    case OP_ADD:
    case OP_MULTIPLY:
        return "elementwise";
    case OP_ZERO_PAD:
    case OP_CROP:
    case OP_CONCAT:
    case OP_RESHAPE:
    case OP_PERMUTE:
        return "copy";
    default:
        return op_name(o);
    }
}

/* all that a step computes, and what comes in from outside of it */
static void count_work(const program *p, size_t index, step *s)
{
    const graph *g = p->graph;
    const node *last = &g->nodes[index];
    s->bytes_written = value_bytes(p, last->outputs, last->output_count);
    for (int i = (int)index; i != GRAPH_NONE; i = p->before[i]) {
        const node *n = &g->nodes[i];
        s->flops += node_flops(g, n);
        s->bytes_read += value_bytes(p, n->inputs, n->input_count);
        if (p->before[i] != GRAPH_NONE) {
            const node *inner = &g->nodes[p->before[i]];
            for (int k = 0; k < n->input_count; k++) {
                s->bytes_read -=
                    n->inputs[k] == inner->outputs[0] ? value_bytes(p, inner->outputs, 1) : 0;
            }
        }
    }
}

/* "first+second" */
static const char *step_name(program *p, size_t index)
{
    const char *name = p->graph->nodes[index].name;
    for (int i = p->before[index]; name && i != GRAPH_NONE; i = p->before[i]) {
        name = region_format(p->memory, "%s+%s", p->graph->nodes[i].name, name);
    }
    return name;
}

static status make_node(program *p, size_t index, uint32_t level, step *s, error *err)
{
    const node *n = &p->graph->nodes[index];
    *s = (step){.name = step_name(p, index),
                .kernel = kernel_of(n->op),
                .variant = "",
                .node = (int)index,
                .level = level};
    if (!s->name) {
        return error_set(err, STATUS_MEMORY, "out of memory for a name");
    }
    count_work(p, index, s);
    const size_t before = p->weight_bytes;
    const status code =
        convolves(n->op) ? convolution_make(p, index, s, err) : operator_make(p, n, s, err);
    s->weight_bytes = p->weight_bytes - before;
    return code == STATUS_OK ? code : error_prefix(err, "%s: ", n->name);
}

/* Those with a step, by level, and within one as in the graph; NULL when memory ran out. */
static uint32_t *order_nodes(const program *p, const uint32_t *node_level, size_t *steps)
{
    const size_t count = p->graph->node_count;
    uint32_t *order = memory_allocate(&p->alloc, count + p->level_count + 1, sizeof *order);
    if (!order) {
        return NULL;
    }
    uint32_t *next = order + count;
    for (size_t i = 0; i < count; i++) {
        next[node_level[i] + 1] += !p->absorbed[i];
    }
    for (uint32_t level = 1; level <= p->level_count; level++) {
        next[level] += next[level - 1];
    }
    for (size_t i = 0; i < count; i++) {
        if (!p->absorbed[i]) {
            order[next[node_level[i]]++] = (uint32_t)i;
        }
    }
    *steps = next[p->level_count];
    return order;
}

static status make_steps(program *p, const uint32_t *node_level, error *err)
{
    const graph *g = p->graph;
    p->steps = program_allocate(p, g->node_count + 1, sizeof *p->steps);
    size_t count = 0;
    uint32_t *order = p->steps ? order_nodes(p, node_level, &count) : NULL;
    if (!order) {
        return error_set(err, STATUS_MEMORY, "out of memory for the steps of a network");
    }
    p->steps[0] = (step){.name = "preprocess",
                         .kernel = "preprocess",
                         .variant = "",
                         .node = GRAPH_NONE,
                         .bytes_written = value_bytes(p, &g->input, 1)};
    status code = preprocess_make(p, &p->steps[p->step_count++], err);
    for (size_t i = 0; code == STATUS_OK && i < count; i++) {
        const uint32_t n = order[i];
        code = make_node(p, n, node_level[n], &p->steps[p->step_count++], err);
    }
    memory_release(&p->alloc, order);
    return code;
}

static status build(program *p, element wanted, error *err)
{
    const graph *g = p->graph;
    life *lives = memory_allocate(&p->alloc, g->value_count, sizeof *lives);
    uint32_t *levels = memory_allocate(&p->alloc, g->node_count + g->value_count, sizeof *levels);
    p->tensors = program_allocate(p, g->value_count, sizeof *p->tensors);
    if (!lives || !levels || !p->tensors) {
        memory_release(&p->alloc, lives);
        memory_release(&p->alloc, levels);
        return error_set(err, STATUS_MEMORY, "out of memory for the values of a network");
    }
    status code = choose_elements(p, wanted, err);
    if (code == STATUS_OK) {
        code = chains_find(p, err);
    }
    if (code == STATUS_OK) {
        find_levels(p, lives, levels);
        code = place_values(p, lives, err);
    }
    if (code == STATUS_OK) {
        code = make_steps(p, levels, err);
    }
    memory_release(&p->alloc, lives);
    memory_release(&p->alloc, levels);
    return code;
}

status program_create(const program_params *params, program **out, error *err)
{
    program *p = memory_allocate(params->alloc, 1, sizeof *p);
    if (!p) {
        return error_set(err, STATUS_MEMORY, "out of memory for a network");
    }
    *p = (program){.alloc = *params->alloc,
                   .graph = params->graph,
                   .preprocess = params->preprocess,
                   .loops = loops_pick(),
                   .separable = separable_pick(),
                   .halves = pointwise_halves_pick(),
                   .keep_all = params->keep_all,
                   .call = params->call,
                   .workers = params->workers};
    p->memory = region_create(&p->alloc);
    status code =
        p->memory ? STATUS_OK : error_set(err, STATUS_MEMORY, "out of memory for a network");
    /* primitives are made for the one thread that will run them */
    const thread_settings before = thread_settings_enter();
    if (code == STATUS_OK) {
        code = onednn_status(p->call->engine_create(&p->engine, dnnl_cpu, 0), "an engine", err);
    }
    if (code == STATUS_OK) {
        code = build(p, params->element, err);
    }
    thread_settings_leave(&before);
    if (code != STATUS_OK) {
        program_destroy(p);
        return code;
    }
    *out = p;
    return STATUS_OK;
}

void program_destroy(program *p)
{
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->primitive_count; i++) {
        (void)p->call->primitive_destroy(p->primitives[i]);
    }
    for (size_t i = 0; i < p->memory_count; i++) {
        (void)p->call->memory_destroy(p->memories[i]);
    }
    if (p->engine) {
        (void)p->call->engine_destroy(p->engine);
    }
    allocator a = p->alloc;
    memory_release(&a, p->primitives);
    memory_release(&a, p->memories);
    memory_release(&a, p->scratch_users);
    region_destroy(p->memory);
    memory_release(&a, p);
}
