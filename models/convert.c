/* Network file + card -> container. */
#include "models/bind.h"
#include "models/digest.h"
#include "models/files.h"

#include <string.h>

enum { CARD_FILE_MAX = 1 << 20 };
#define SOURCE_FILE_MAX ((size_t)2 << 30)

/* Whoever wrote the card wrote down which files it is for. */
static status check_sources(const allocator *a, region *r, const card *c, const char *model_path,
                            error *err)
{
    for (size_t i = 0; i < c->file_count; i++) {
        unsigned char *bytes = NULL;
        size_t size = 0;
        char found[DIGEST_TEXT];
        char *path = path_beside(r, model_path, c->files[i].file);
        if (!path) {
            return error_set(err, STATUS_MEMORY, "out of memory for '%s'", c->files[i].file);
        }
        status code = file_read(a, path, SOURCE_FILE_MAX, &bytes, &size, err);
        if (code != STATUS_OK) {
            return code;
        }
        digest_bytes(bytes, size, found);
        memory_release(a, bytes);
        if (strcmp(found, c->files[i].sha256) != 0) {
            return error_set(err, STATUS_MODEL, "%s: its SHA-256 is %s, the card asks for %s", path,
                             found, c->files[i].sha256);
        }
    }
    return STATUS_OK;
}

status model_convert(const allocator *a, const char *model_path, const char *card_path,
                     const char *out_path, error *err)
{
    unsigned char *text = NULL;
    size_t size = 0;
    card c = {0};
    graph *g = NULL;
    detector_head head;
    region *r = region_create(a);
    status code = r ? file_read(a, card_path, CARD_FILE_MAX, &text, &size, err)
                    : error_set(err, STATUS_MEMORY, "out of memory for a card");
    if (code == STATUS_OK) {
        code = card_parse(r, (const char *)text, size, &c, err);
        if (code != STATUS_OK) {
            (void)error_prefix(err, "%s: ", card_path);
        }
    }
    if (code == STATUS_OK) {
        code = check_sources(a, r, &c, model_path, err);
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
        code = model_write(a, g, (const char *)text, size, out_path, err);
    }
    graph_destroy(g);
    memory_release(a, text);
    region_destroy(r);
    return code;
}
