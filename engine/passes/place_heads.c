/* Concatenations of contiguous pieces and reshapes become views: their inputs are written where
 * they belong, and the nodes go.
 *
 * While it runs, `parent` and `offset` form a forest: a value lies at `offset` in its parent, the
 * root owns the storage. Joining two trees is refused where a device could not read the result (see
 * `value` in graph.h) and where an element would have two writers. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

typedef struct placing {
    rewrite r;
    int *parent;
    uint64_t *offset;
    size_t *stamp; /* by root: 1 + the concat that was last seen to read it */
    bool *read;    /* by root: a value of its tree is read by more than element-wise copies */
    bool *narrow;  /* by root: such a value is not in a layout that can be shared */
} placing;

static int find_root(placing *p, int v, uint64_t *offset)
{
    int root = v;
    uint64_t total = 0;
    while (p->parent[root] != GRAPH_NONE) {
        total += p->offset[root];
        root = p->parent[root];
    }
    *offset = total;
    for (int u = v; u != root;) { /* shorten the way for the next time */
        int up = p->parent[u];
        uint64_t step = p->offset[u];
        p->parent[u] = root;
        p->offset[u] = total;
        total -= step;
        u = up;
    }
    return root;
}

static bool copies_elements(op o)
{
    return o == OP_RESHAPE || o == OP_CONCAT || o == OP_PERMUTE;
}

static void find_readers(placing *p)
{
    const graph *g = p->r.g;
    for (size_t v = 0; v < g->value_count; v++) {
        p->parent[v] = g->values[v].base;
        p->offset[v] = g->values[v].base_offset;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; k < n->input_count && !copies_elements(n->op); k++) {
            uint64_t offset;
            int root = find_root(p, n->inputs[k], &offset);
            p->read[root] = true;
            if (!value_layout_dense(g->values[n->inputs[k]].shape) || offset % 4 != 0) {
                p->narrow[root] = true;
            }
        }
    }
}

/* The root that v covers from end to end, or GRAPH_NONE: only such a tree can move as a whole. */
static int whole_root(placing *p, int v)
{
    const graph *g = p->r.g;
    uint64_t offset;
    int root = find_root(p, v, &offset);
    bool whole = shape_elements(g->values[v].shape) == shape_elements(g->values[root].shape);
    return whole ? root : GRAPH_NONE;
}

/* whether the tree of `root` may go to `offset` of value v; the graph's input, which is written
 * from outside, shares with nothing */
static bool can_join(placing *p, int root, int v, uint64_t offset)
{
    const graph *g = p->r.g;
    uint64_t v_offset;
    int target = find_root(p, v, &v_offset);
    if (root == GRAPH_NONE || root == target || root == g->input || target == g->input ||
        p->narrow[root] || p->narrow[target]) {
        return false;
    }
    /* what is read in the target's own tree is not narrow, so it was in order before */
    return !p->read[root] ||
           (value_layout_dense(g->values[target].shape) && (v_offset + offset) % 4 == 0);
}

static void join(placing *p, int root, int v, uint64_t offset)
{
    uint64_t v_offset;
    int target = find_root(p, v, &v_offset);
    p->parent[root] = target;
    p->offset[root] = v_offset + offset;
    p->read[target] = p->read[target] || p->read[root];
}

/* the pieces lie one after the other in the result */
static bool is_contiguous(const graph *g, const node *n)
{
    const shape *s = &g->values[n->outputs[0]].shape;
    for (uint32_t i = 0; i < n->attributes.axis; i++) {
        if (s->dim[i] != 1) {
            return false;
        }
    }
    return true;
}

static void place_concat(placing *p, size_t index)
{
    const graph *g = p->r.g;
    const node *n = &g->nodes[index];
    uint64_t offset = 0;
    if (!is_contiguous(g, n)) {
        return;
    }
    for (int i = 0; i < n->input_count; i++) {
        int root = whole_root(p, n->inputs[i]);
        if (!can_join(p, root, n->outputs[0], offset) || p->stamp[root] == index + 1) {
            return; /* one piece must be copied, so the node stays */
        }
        p->stamp[root] = index + 1;
        offset += shape_elements(g->values[n->inputs[i]].shape);
    }
    offset = 0;
    for (int i = 0; i < n->input_count; i++) {
        join(p, whole_root(p, n->inputs[i]), n->outputs[0], offset);
        offset += shape_elements(g->values[n->inputs[i]].shape);
    }
    p->r.removed[index] = true;
}

static void place_reshape(placing *p, size_t index)
{
    const node *n = &p->r.g->nodes[index];
    int from = n->inputs[0], to = n->outputs[0];
    int from_root = whole_root(p, from), to_root = whole_root(p, to);
    if (can_join(p, to_root, from, 0)) {
        join(p, to_root, from, 0);
    } else if (can_join(p, from_root, to, 0)) {
        join(p, from_root, to, 0);
    } else {
        return;
    }
    p->r.removed[index] = true;
}

/* Later concats first: where one feeds another, the outer one is the storage. Then the reshapes,
 * which take the side of whichever end has been placed. */
static void place_all(placing *p)
{
    graph *g = p->r.g;
    find_readers(p);
    for (size_t i = g->node_count; i-- > 0;) {
        if (g->nodes[i].op == OP_CONCAT) {
            place_concat(p, i);
        }
    }
    for (size_t i = g->node_count; i-- > 0;) {
        if (g->nodes[i].op == OP_RESHAPE) {
            place_reshape(p, i);
        }
    }
    for (size_t v = 0; v < g->value_count; v++) {
        uint64_t offset;
        int root = find_root(p, (int)v, &offset);
        g->values[v].base = root == (int)v ? GRAPH_NONE : root;
        g->values[v].base_offset = offset;
    }
}

status pass_place_heads(graph *g, error *err)
{
    placing p = {0};
    status s = rewrite_begin(&p.r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    const allocator *a = region_allocator(g->memory);
    p.parent = memory_allocate(a, g->value_count, sizeof *p.parent);
    p.offset = memory_allocate(a, g->value_count, sizeof *p.offset);
    p.stamp = memory_allocate(a, g->value_count, sizeof *p.stamp);
    p.read = memory_allocate(a, g->value_count, sizeof *p.read);
    p.narrow = memory_allocate(a, g->value_count, sizeof *p.narrow);
    if (p.parent && p.offset && p.stamp && p.read && p.narrow) {
        place_all(&p);
    } else {
        s = rewrite_out_of_memory("place-heads", err);
    }
    memory_release(a, p.parent);
    memory_release(a, p.offset);
    memory_release(a, p.stamp);
    memory_release(a, p.read);
    memory_release(a, p.narrow);
    rewrite_end(&p.r);
    return s;
}
