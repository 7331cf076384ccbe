/* Boxes and labels on a picture. */
#ifndef HOST_CLIENT_MARKS_H
#define HOST_CLIENT_MARKS_H

#include "host/client/record.h"

/* Draws r's detections on the image, the strongest on top. Otherwise *reason says why not; valid
 * until the next vkdet call on this thread. */
vkdet_status marks_draw(vkdet_image *image, const record *r, const vkdet_model *model,
                        const char *language, const char **reason);

#endif
