/* The files that the server answers with from memory: the page, its pictures, the OpenAPI document.
 * The build makes the table (host/serve/embed.cmake); host/serve/page/CMakeLists.txt lists what is
 * in it. */
#ifndef HOST_SERVE_STATIC_FILES_H
#define HOST_SERVE_STATIC_FILES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct static_file {
    const char *path; /* in the address: "/", "/page.mjs", "/samples/street.png" */
    const char *type; /* Content-Type */
    const unsigned char *bytes;
    size_t size;
    const char *etag; /* quoted, strong: the same as long as the bytes are */
} static_file;

extern const static_file static_files[];
extern const size_t static_file_count;

/* The file of a path, NULL where there is none. */
const static_file *static_file_find(const char *path);

/* Whether an If-None-Match header (may be NULL) names the file's ETag, or "*": 304 is the answer
 * then. */
bool static_file_matches(const static_file *file, const char *if_none_match);

#endif
