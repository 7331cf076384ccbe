/* A module with the values of its specialization constants written in, for drivers whose compiler
 * takes those for unknown (QUIRK_SPECIALIZE). */
#ifndef HOST_VULKAN_SPECIALIZE_H
#define HOST_VULKAN_SPECIALIZE_H

#include "engine/memory.h"
#include "shaders/shaders.h"

/* The words of the module with plain constants in place of specialization constants: number i has
 * values[i], from `count` on the module's own default. What is computed from them is computed here,
 * where all of it is known. To be released by the caller; NULL when memory ran out. */
uint32_t *specialize(const allocator *a, const shader *module, const uint32_t *values,
                     uint32_t count, size_t *bytes);

#endif
