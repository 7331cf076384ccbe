/* Pixels to the bytes of a picture file: the table of encoders. */
#include "host/image/codec.h"

#if VKDET_HAVE_JPEG
#define ENCODE_JPEG encode_jpeg
#else
#define ENCODE_JPEG NULL
#endif
#if VKDET_HAVE_PNG
#define ENCODE_PNG encode_png
#else
#define ENCODE_PNG NULL
#endif

enum { QUALITY_DEFAULT = 90 };

static const struct {
    const char *name;
    encoder encode; /* NULL: its library was absent when this was built */
} encoders[] = {[IMAGE_PNG] = {"PNG", ENCODE_PNG}, [IMAGE_JPEG] = {"JPEG", ENCODE_JPEG}};

status image_encode(const image *i, image_codec codec, int quality, unsigned char **bytes,
                    size_t *size, error *err)
{
    if ((size_t)codec >= sizeof encoders / sizeof encoders[0]) {
        return error_set(err, STATUS_ARGUMENT, "unknown picture format %d", (int)codec);
    }
    if (quality < 0 || quality > 100) {
        return error_set(err, STATUS_ARGUMENT, "quality %d is not within 1..100", quality);
    }
    if (!encoders[codec].encode) {
        return error_set(err, STATUS_UNSUPPORTED, "%s support was not built in",
                         encoders[codec].name);
    }
    return encoders[codec].encode(i, quality ? quality : QUALITY_DEFAULT, bytes, size, err);
}
