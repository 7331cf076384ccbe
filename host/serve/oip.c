/* The table of outputs, refusals, and streams. */
#include "host/serve/oip.h"

#include <stdarg.h>
#include <stdlib.h>

/* Names, types and shapes are those that other detectors answer with (TensorRT's NMS plugins), so
 * that clients of those can read ours. */
const oip_output_kind oip_outputs[OIP_OUTPUT_COUNT] = {
    [OIP_NUM_DETECTIONS] = {"num_detections", "INT32", 0},
    [OIP_DETECTION_BOXES] = {"detection_boxes", "FP32", 4},
    [OIP_DETECTION_SCORES] = {"detection_scores", "FP32", 1},
    [OIP_DETECTION_CLASSES] = {"detection_classes", "INT32", 1},
};

bool oip_refuse(oip_fault *fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return false;
}

bool oip_no_memory(oip_fault *fault)
{
    fault->no_memory = true;
    return oip_refuse(fault, "out of memory");
}

FILE *oip_body_begin(oip_body *out)
{
    *out = (oip_body){.bytes = NULL};
    return open_memstream(&out->bytes, &out->size);
}

bool oip_body_finish(FILE *stream, oip_body *out)
{
    bool good = !ferror(stream);
    good = fclose(stream) == 0 && good;
    if (!good) {
        free(out->bytes);
        *out = (oip_body){.bytes = NULL};
    }
    return good;
}
