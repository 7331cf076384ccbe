/* The model that the library carries: the container of models/street-320, made from its files by
 * embed.c when the library is built. */
#ifndef MODELS_BUILTIN_H
#define MODELS_BUILTIN_H

#include <stddef.h>

typedef struct builtin_model {
    const void *bytes; /* aligned as model_open_memory wants it; NULL in a build without a model */
    size_t size;
} builtin_model;

extern const builtin_model model_builtin;

#endif
