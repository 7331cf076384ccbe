/* WebP through libwebp: lossy, lossless, with alpha (dropped), the first frame of an animation. */
#include "host/image/codec.h"

#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

static status webp_error(VP8StatusCode code, error *err)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return error_set(err, STATUS_MEMORY, "out of memory while decoding WebP");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return error_set(err, STATUS_IMAGE, "WebP ends early");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return error_set(err, STATUS_UNSUPPORTED, "WebP uses a feature that is not supported");
    default:
        return error_set(err, STATUS_IMAGE, "WebP is malformed");
    }
}

/* A frame may cover only a part of the canvas; what it leaves is black, as transparent pixels
 * are. */
static status decode_frame(const WebPIterator *frame, image *out, error *err)
{
    const uint64_t right = (uint64_t)frame->x_offset + (uint64_t)frame->width;
    const uint64_t bottom = (uint64_t)frame->y_offset + (uint64_t)frame->height;
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "libwebp has another ABI than this was built for");
    }
    const VP8StatusCode features =
        WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input);
    if (features != VP8_STATUS_OK) {
        return webp_error(features, err);
    }
    if (frame->x_offset < 0 || frame->y_offset < 0 || right > out->width || bottom > out->height ||
        config.input.width != frame->width || config.input.height != frame->height) {
        return error_set(err, STATUS_IMAGE, "WebP frame lies outside its canvas");
    }
    const size_t stride = (size_t)out->width * 3;
    const size_t start = (size_t)frame->y_offset * stride + (size_t)frame->x_offset * 3;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out->data + start;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * out->height - start;
    const VP8StatusCode code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? STATUS_OK : webp_error(code, err);
}

status decode_webp(const encoded *in, image *out, error *err)
{
    WebPBitstreamFeatures features;
    const VP8StatusCode code = WebPGetFeatures(in->bytes, in->size, &features);
    if (code != VP8_STATUS_OK) {
        return webp_error(code, err);
    }
    if (features.width < 0 || features.height < 0) {
        return error_set(err, STATUS_IMAGE, "WebP is malformed");
    }
    status s = limits_check(in, "WebP", (uint64_t)features.width, (uint64_t)features.height, err);
    if (s != STATUS_OK) {
        return s;
    }
    const WebPData data = {in->bytes, in->size};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer) {
        return error_set(err, STATUS_IMAGE, "WebP ends early or is malformed");
    }
    WebPIterator frame;
    WebPChunkIterator exif;
    memset(&frame, 0, sizeof frame);
    if (!WebPDemuxGetFrame(demuxer, 1, &frame)) {
        s = error_set(err, STATUS_IMAGE, "WebP holds no frame");
        goto done;
    }
    s = image_allocate(in, "WebP", PIXEL_RGB8, WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
                       WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT), out, err);
    if (s != STATUS_OK) {
        goto done;
    }
    s = decode_frame(&frame, out, err);
    if (s == STATUS_OK && WebPDemuxGetChunk(demuxer, "EXIF", 1, &exif)) {
        const unsigned char *tiff = exif.chunk.bytes;
        size_t size = exif.chunk.size;
        if (size >= 6 && memcmp(tiff, "Exif\0\0", 6) == 0) { /* some writers keep JPEG's lead */
            tiff += 6;
            size -= 6;
        }
        s = exif_orientation(in->alloc, tiff, size, &out->orientation, err);
        WebPDemuxReleaseChunkIterator(&exif);
    }
done:
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
    return s;
}
