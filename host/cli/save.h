/* The picture with its boxes and labels, on disk. */
#ifndef HOST_CLI_SAVE_H
#define HOST_CLI_SAVE_H

#include "host/cli/writer.h"

/* Draws r's detections on the image and writes it into the folder of w->names, as PNG when the
 * source was named so, else as JPEG. False after writer_fail. */
bool save_picture(writer *w, const record *r, vkdet_image *image);

#endif
