/* A detector in miniature: two scales, batch norm, pooled maps that heads read too, reshaped and
 * concatenated outputs. What the passes and the arena have most to do with. */
#ifndef TESTS_VULKAN_MINIATURE_H
#define TESTS_VULKAN_MINIATURE_H

#include "engine/detector.h"
#include "engine/graph.h"

/* As an importer makes it: no pass has run. Anchors lie in the graph's region. */
status miniature_build(const allocator *a, uint64_t seed, graph **out, detector_head *head,
                       error *err);

#endif
