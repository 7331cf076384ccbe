/* --save-img. */
#include "host/cli/save.h"

#include "host/client/marks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool save_picture(writer *w, const record *r, vkdet_image *image)
{
    const char *dot = strrchr(r->image, '.');
    const char *ending = dot && strcasecmp(dot, ".png") == 0 ? "png" : "jpg";
    const char *reason = NULL;
    char *path = names_file(w->names, r->stem, ending, &reason);
    bool good = !reason || writer_fail(w, path ? path : r->stem, reason);
    if (good && marks_draw(image, r, w->model, w->language, &reason) != VKDET_OK) {
        good = writer_fail(w, r->image, reason);
    }
    if (good && vkdet_image_save(image, path, 0) != VKDET_OK) {
        good = writer_fail(w, "picture", vkdet_error_message());
    }
    free(path);
    return good;
}
