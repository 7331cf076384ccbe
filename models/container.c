/* The digest that reader and writer must agree on. */
#include "models/container.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void container_text_digest(const char *graph_text, size_t graph_size, const char *card_text,
                           size_t card_size, const tensor_entry *entries, size_t count,
                           char text[DIGEST_TEXT])
{
    digest d;
    digest_begin(&d);
    digest_add(&d, graph_text, graph_size);
    digest_add(&d, "\n", 1);
    digest_add(&d, card_text, card_size);
    digest_add(&d, "\n", 1);
    for (size_t i = 0; i < count; i++) {
        const tensor_entry *e = &entries[i];
        char line[160];
        digest_add(&d, e->name, strlen(e->name));
        int used = snprintf(line, sizeof line, " %s ", e->half ? "F16" : "F32");
        for (uint32_t k = 0; k < e->shape.rank; k++) {
            used += snprintf(line + used, sizeof line - (size_t)used, "%s%" PRIu32, k ? "," : "",
                             e->shape.dim[k]);
        }
        used += snprintf(line + used, sizeof line - (size_t)used, " %" PRIu64 " %" PRIu64 "\n",
                         e->begin, e->end);
        digest_add(&d, line, (size_t)used);
    }
    digest_end(&d, text);
}
