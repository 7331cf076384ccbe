/* The table of output formats and what they share. */
#include "host/cli/writer.h"

#include <errno.h>
#include <string.h>

static const writer_format *const formats[] = {&writer_ndjson, &writer_csv, &writer_coco,
                                               &writer_yolo};

const writer_format *writer_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

bool writer_fail(writer *w, const char *subject, const char *reason)
{
    (void)snprintf(w->failure, sizeof w->failure, "%s: %s", subject, reason);
    return false;
}

bool writer_flush(writer *w)
{
    errno = 0;
    if (fflush(w->out) != 0 || ferror(w->out)) {
        return writer_fail(w, "standard output", errno ? strerror(errno) : "write failed");
    }
    return true;
}
