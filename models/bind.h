/* A card and a graph that belong together. */
#ifndef MODELS_BIND_H
#define MODELS_BIND_H

#include "models/model.h"

/* of all values of a network together, as imported: 4 GiB where each is kept */
#define MODEL_MAX_ELEMENTS (1u << 30)

/* Checks that the card describes this graph (input size, outputs, anchors, classes) and fills in
 * the head; anchors live in r. STATUS_MODEL says what does not fit, STATUS_LIMIT that the network
 * is too large. */
status model_bind(region *r, const card *c, const graph *g, detector_head *head, error *err);

#endif
