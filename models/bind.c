/* Card meets graph: every number that both know must agree. */
#include "models/bind.h"

#include <stdio.h>
#include <string.h>

static status check_input(const card *c, const graph *g, error *err)
{
    const preprocess *p = &c->preprocess;
    uint32_t dim[3] = {p->height, p->width, p->channels == CHANNELS_GRAY ? 1 : 3};
    shape wanted = shape_make(3, dim), found = g->values[g->input].shape;
    if (!shape_equal(wanted, found)) {
        char a[64], b[64];
        shape_text(wanted, a);
        shape_text(found, b);
        return error_set(err, STATUS_MODEL, "the card's input is %s, the network's %s", a, b);
    }
    return STATUS_OK;
}

/* Reference and verification keep every value: a small file must not ask for much memory. */
static status check_size(const graph *g, error *err)
{
    uint64_t elements = 0;
    for (size_t i = 0; i < g->value_count; i++) {
        elements += shape_elements(g->values[i].shape);
    }
    return elements <= MODEL_MAX_ELEMENTS
               ? STATUS_OK
               : error_set(
                     err, STATUS_LIMIT,
                     "the network's values have %llu elements together, at most %u are handled",
                     (unsigned long long)elements, MODEL_MAX_ELEMENTS);
}

static status find_output(const graph *g, const char *name, int *out, error *err)
{
    char known[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < g->output_count; i++) {
        const char *has = g->values[g->outputs[i]].name;
        if (strcmp(has, name) == 0) {
            *out = (int)i;
            return STATUS_OK;
        }
        if (used < sizeof known) {
            used +=
                (size_t)snprintf(known + used, sizeof known - used, "%s'%s'", i ? ", " : "", has);
        }
    }
    return error_set(err, STATUS_MODEL, "the network has no output '%s', but %s", name, known);
}

static status check_shape(const graph *g, int output, const char *what, uint32_t rows,
                          uint32_t columns, error *err)
{
    uint32_t both[2] = {rows, columns};
    shape found = g->values[g->outputs[output]].shape;
    shape wanted = rows ? shape_make(2, both) : shape_make(1, &columns);
    if (!shape_equal(found, wanted)) {
        char a[64], b[64];
        shape_text(wanted, a);
        shape_text(found, b);
        return error_set(err, STATUS_MODEL, "%s: the card asks for %s, the network makes %s", what,
                         a, b);
    }
    return STATUS_OK;
}

status model_bind(region *r, const card *c, const graph *g, detector_head *head, error *err)
{
    *head = (detector_head){.background = -1};
    int scores = 0, loc = 0;
    status code = check_input(c, g, err);
    if (code == STATUS_OK) {
        code = check_size(g, err);
    }
    if (code == STATUS_OK) {
        code = find_output(g, c->score_output, &scores, err);
    }
    if (code != STATUS_OK || !c->detects) {
        return code == STATUS_OK ? check_shape(g, scores, "scores", 0, c->class_count, err) : code;
    }
    uint32_t anchors = (uint32_t)anchors_count(&c->anchors);
    code = find_output(g, c->loc_output, &loc, err);
    if (code == STATUS_OK) {
        code = check_shape(g, loc, "boxes", anchors, 4, err);
    }
    if (code == STATUS_OK) {
        code = check_shape(g, scores, "scores", anchors, c->class_count, err);
    }
    float *corners = code == STATUS_OK ? region_allocate(r, anchors, 4 * sizeof *corners) : NULL;
    if (code == STATUS_OK && !corners) {
        code = error_set(err, STATUS_MEMORY, "out of memory for %u anchors", anchors);
    }
    if (code != STATUS_OK) {
        return code;
    }
    anchors_generate(&c->anchors, corners);
    *head = (detector_head){
        .loc_output = loc,
        .score_output = scores,
        .anchor_count = anchors,
        .class_count = c->class_count,
        .background = c->background,
        .anchors = corners,
    };
    memcpy(head->variance, c->variance, sizeof head->variance);
    return STATUS_OK;
}
