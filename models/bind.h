/* A card and a graph that belong together. */
#ifndef MODELS_BIND_H
#define MODELS_BIND_H

#include "models/model.h"

/* Checks that the card describes this graph (input size, outputs, anchors, classes) and fills in
 * the head; anchors live in r. STATUS_MODEL says what does not fit. */
status model_bind(region *r, const card *c, const graph *g, detector_head *head, error *err);

#endif
