/* JSON documents as text from the context's allocator. */
#ifndef HOST_API_TEXT_H
#define HOST_API_TEXT_H

#include "engine/memory.h"
#include "engine/status.h"

#include <jansson.h>

/* Takes root (NULL: memory ran out while it was built). *text is released with memory_release. */
status text_from_json(const allocator *a, json_t *root, char **text, error *err);

#endif
