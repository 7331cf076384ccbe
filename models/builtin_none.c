/* The model of a library that carries none (VKDET_BUILTIN_MODEL=OFF). */
#include "models/builtin.h"

const builtin_model model_builtin = {NULL, 0};
