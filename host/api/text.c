/* JSON documents as text from the context's allocator. */
#include "host/api/text.h"

#include <string.h>

status text_from_json(const allocator *a, json_t *root, char **text, error *err)
{
    size_t size = root ? json_dumpb(root, NULL, 0, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : 0;
    char *out = size ? memory_allocate(a, size + 1, 1) : NULL;
    if (out) {
        (void)json_dumpb(root, out, size, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    }
    json_decref(root);
    if (!out) {
        return error_set(err, STATUS_MEMORY, "out of memory for a JSON document");
    }
    *text = out;
    return STATUS_OK;
}
