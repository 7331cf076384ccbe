/* Boxes and labels on a picture, and the picture on disk. */
#ifndef HOST_CLI_MARKS_H
#define HOST_CLI_MARKS_H

#include "host/cli/writer.h"

/* Draws r's detections on the image and writes it into the folder of w->names, as PNG when the
 * source was named so, else as JPEG. False after writer_fail. */
bool marks_save(writer *w, const record *r, vkdet_image *image);

#endif
