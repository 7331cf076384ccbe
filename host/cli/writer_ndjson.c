/* NDJSON: one JSON object a line and input. */
#include "host/cli/writer.h"

static bool ndjson_write(writer *w, const record *r)
{
    record_write(w->out, r, w->model, w->language);
    return true;
}

const writer_format writer_ndjson = {.name = "ndjson", .write = ndjson_write};
