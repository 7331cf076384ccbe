/* Which tensors of a container are binary16. */
#ifndef MODELS_WEIGHT_TYPE_H
#define MODELS_WEIGHT_TYPE_H

#include "models/model.h"

/* half[i]: weight i is stored as F16. STATUS_LIMIT names the first weight with a finite element
 * that WEIGHTS_FP16 would make infinite. */
status weights_choose(const graph *g, weight_type type, bool *half, error *err);

#endif
