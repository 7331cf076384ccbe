/* What the layer builders share: their table entry and the way to add a node. */
#ifndef MODELS_IMPORT_TFJS_LAYERS_H
#define MODELS_IMPORT_TFJS_LAYERS_H

#include "models/import/tfjs.h"

/* Adds the nodes of one call; the last of them is named after the layer. */
typedef status (*tfjs_builder)(tfjs_importer *t, const tfjs_call *call, int *output, error *err);

/* Adds a node with one output. It is named after the layer, or after the layer and what it does
 * there when the layer takes several nodes: "block/depthwise". */
status tfjs_add(tfjs_importer *t, const tfjs_call *call, const char *part, const node *n,
                int *output, error *err);
/* Adds n, then a softmax if the layer has that for activation. */
status tfjs_add_activated(tfjs_importer *t, const tfjs_call *call, const node *n, bool softmax,
                          int *output, error *err);
shape tfjs_input_shape(const tfjs_importer *t, const tfjs_call *call);
/* the one input is a map (H, W, C), in channels_last order */
status tfjs_map_input(const tfjs_importer *t, const tfjs_call *call, shape *out, error *err);

/* tfjs_convolutions.c: the layers with weights */
status tfjs_conv2d(tfjs_importer *t, const tfjs_call *call, int *output, error *err);
status tfjs_depthwise_conv2d(tfjs_importer *t, const tfjs_call *call, int *output, error *err);
status tfjs_separable_conv2d(tfjs_importer *t, const tfjs_call *call, int *output, error *err);
status tfjs_dense(tfjs_importer *t, const tfjs_call *call, int *output, error *err);
status tfjs_batch_normalization(tfjs_importer *t, const tfjs_call *call, int *output, error *err);
status tfjs_prelu(tfjs_importer *t, const tfjs_call *call, int *output, error *err);

#endif
