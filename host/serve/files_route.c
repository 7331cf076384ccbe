/* The files that the program carries: the page may load what this server has, and nothing else. */
#include "host/serve/routes.h"

#include "host/serve/static_files.h"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

void static_file_handle(request *r)
{
    const static_file *file = static_file_find(r->path);
    request_header_add(r, "ETag", file->etag);
    request_header_add(r, "Cache-Control", "no-cache");
    request_header_add(r, "Content-Security-Policy", policy);
    request_header_add(r, "Referrer-Policy", "no-referrer");
    if (static_file_matches(file, request_header(r, "If-None-Match"))) {
        request_answer(r, 304, NULL, "", 0, BODY_STATIC);
    } else {
        request_answer(r, 200, file->type, file->bytes, file->size, BODY_STATIC);
    }
}
