/* Looking files up, and telling whether a client has them already. */
#include "host/serve/static_files.h"

#include <stdbool.h>
#include <string.h>

const static_file *static_file_find(const char *path)
{
    for (size_t i = 0; i < static_file_count; i++) {
        if (strcmp(static_files[i].path, path) == 0) {
            return &static_files[i];
        }
    }
    return NULL;
}

bool static_file_matches(const static_file *file, const char *if_none_match)
{
    const size_t length = strlen(file->etag);
    const char *rest = if_none_match ? if_none_match : "";
    while (*rest) {
        rest += strspn(rest, " \t,");
        if (*rest == '*') {
            return true;
        }
        /* the comparison is the weak one (RFC 9110, 13.1.2): W/ makes no difference */
        if (strncmp(rest, "W/", 2) == 0) {
            rest += 2;
        }
        if (strncmp(rest, file->etag, length) == 0) {
            return true;
        }
        rest += strcspn(rest, ",");
    }
    return false;
}
