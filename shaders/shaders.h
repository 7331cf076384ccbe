/* The SPIR-V modules that were built into the library: one a member of a kernel family. */
#ifndef SHADERS_SHADERS_H
#define SHADERS_SHADERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct shader {
    const char *name; /* plan_step.shader */
    const uint32_t *code;
    size_t code_bytes;
} shader;

extern const shader shader_table[];
extern const size_t shader_count;
/* hex digest of all modules: part of the pipeline cache's key */
extern const char shader_digest[];

/* NULL when there is none of that name */
const shader *shader_find(const char *name);

#endif
