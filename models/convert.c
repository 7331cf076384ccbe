/* Network file + card -> container. */
#include "models/bind.h"
#include "models/container.h"
#include "models/files.h"

#include <string.h>

enum { CARD_FILE_MAX = 1 << 20 };

/* What stands under the output's name is replaced only when it is a container or empty: never the
 * network, its shards, the card, or anything else somebody may have meant to keep. */
static status check_target(const char *path, error *err)
{
    static const char begin[] = "{\"__metadata__\":{\"format\":\"vkdet\"";
    unsigned char bytes[CONTAINER_PREFIX + sizeof begin - 1];
    size_t got = 0;
    bool there = false;
    status code = file_peek(path, bytes, sizeof bytes, &got, &there, err);
    if (code != STATUS_OK || !there || got == 0) {
        return code;
    }
    bool ours =
        got == sizeof bytes && memcmp(bytes + CONTAINER_PREFIX, begin, sizeof begin - 1) == 0;
    return ours ? STATUS_OK
                : error_set(err, STATUS_IO, "%s: exists and is no container; it is left alone",
                            path);
}

status model_convert(const allocator *a, const char *model_path, const char *card_path,
                     weight_type type, const char *out_path, error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    card c = {0};
    graph *g = NULL;
    detector_head head;
    region *r = region_create(a);
    status code = check_target(out_path, err);
    if (code == STATUS_OK && !r) {
        code = error_set(err, STATUS_MEMORY, "out of memory for a card");
    }
    if (code == STATUS_OK) {
        code = file_read(a, card_path, CARD_FILE_MAX, &text, &size, err);
    }
    if (code == STATUS_OK) {
        code = card_parse(r, (const char *)text, size, &c, err);
        if (code != STATUS_OK) {
            (void)error_prefix(err, "%s: ", card_path);
        }
    }
    if (code == STATUS_OK) {
        code = tfjs_import(a, model_path, &c, &g, err);
    }
    if (code == STATUS_OK) {
        code = model_bind(r, &c, g, &head, err);
        if (code != STATUS_OK) {
            (void)error_prefix(err, "%s with %s: ", model_path, card_path);
        }
    }
    if (code == STATUS_OK) {
        code = model_write(a, g, (const char *)text, size, type, out_path, err);
    }
    graph_destroy(g);
    memory_release(a, text);
    region_destroy(r);
    return code;
}
