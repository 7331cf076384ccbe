/* What the container's reader and writer share; models/FORMAT.md is the description. */
#ifndef MODELS_CONTAINER_H
#define MODELS_CONTAINER_H

#include "models/digest.h"
#include "models/graph_json.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "containers are mapped as they are: this needs a little-endian machine"
#endif

enum {
    CONTAINER_PREFIX = 8, /* bytes of the header's length */
    CONTAINER_ALIGN = 64, /* where the data section begins */
    CONTAINER_MAX_HEADER = 64 << 20,
    CONTAINER_MAJOR = 1,
    CONTAINER_MINOR = 0
};

/* Digest of everything that is no tensor data: graph text, card text, then one line a tensor in the
 * order of the data: "name dtype dim,dim begin end\n". */
void container_text_digest(const char *graph_text, size_t graph_size, const char *card_text,
                           size_t card_size, const tensor_entry *entries, size_t count,
                           char text[DIGEST_TEXT]);

#endif
