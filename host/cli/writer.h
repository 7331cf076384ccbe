/* Writers: how results leave the program. One table of formats, one file a format. */
#ifndef HOST_CLI_WRITER_H
#define HOST_CLI_WRITER_H

#include "host/cli/names.h"
#include "host/client/record.h"

#include "vkdet.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct writer writer;

/* Each returns false when output failed; writer_failure then says why. */
typedef struct writer_format {
    const char *name;
    bool into_folder; /* writes files into --output instead of standard output */
    bool (*begin)(writer *w);
    bool (*write)(writer *w, const record *r);
    bool (*end)(writer *w);
} writer_format;

struct writer {
    const writer_format *format;
    const vkdet_model *model;
    const char *language; /* of labels; NULL: the card's first */
    uint32_t class_count;
    FILE *out;
    names *names; /* NULL without --output */
    FILE *spool;  /* coco: annotations, until the images are through */
    uint64_t annotations;
    char failure[5120]; /* a path and a reason */
};

const writer_format *writer_format_find(const char *name);

/* Remembers why; returns false. subject is a path or "standard output". */
bool writer_fail(writer *w, const char *subject, const char *reason);
/* Sends on what was written, so that a reader of the pipe sees it now. */
bool writer_flush(writer *w);

extern const writer_format writer_ndjson, writer_csv, writer_coco, writer_yolo;

#endif
