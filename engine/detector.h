/* What surrounds the network: how pixels become its input, and how its outputs become boxes.
 *
 * This is the engine's view of a model card. Sources of the formulas: SSD (Liu et al. 2016,
 * section 2.2) for anchors and the centre-size coding; TensorFlow.js resizeBilinear and
 * nonMaxSuppression for the semantics called tfjs. */
#ifndef ENGINE_DETECTOR_H
#define ENGINE_DETECTOR_H

#include "engine/memory.h"
#include "engine/status.h"

#include <stdbool.h>
#include <stdint.h>

/* --- pixels in --- */
typedef enum pixel_format {
    PIXEL_GRAY8 = 0,
    PIXEL_RGB8,
    PIXEL_BGR8,
    PIXEL_RGBA8, /* alpha is ignored */
    PIXEL_BGRA8,
    PIXEL_TENSOR_F32, /* the network input itself: (H, W, C) float, dense, of exactly the input
                         size; copied as it is */
    PIXEL_FORMAT_COUNT
} pixel_format;

/* Not owned. stride is the distance between rows in bytes. */
typedef struct pixels {
    pixel_format format;
    uint32_t width, height;
    size_t stride;
    const void *data;
} pixels;

uint32_t pixel_bytes(pixel_format f); /* bytes a pixel; for PIXEL_TENSOR_F32 those of one channel */

typedef enum channel_order { CHANNELS_RGB = 0, CHANNELS_BGR, CHANNELS_GRAY } channel_order;
typedef enum fit_mode { FIT_STRETCH = 0, FIT_LETTERBOX } fit_mode;
typedef enum sampling {
    SAMPLING_NEAREST = 0,
    SAMPLING_BILINEAR,            /* source = i * in / out               (TensorFlow.js default) */
    SAMPLING_BILINEAR_HALF_PIXEL, /* source = (i + 0.5) * in / out - 0.5 */
    SAMPLING_BILINEAR_ALIGN_CORNERS /* source = i * (in - 1) / (out - 1) */
} sampling;

/* input[y][x][c] = (resized[y][x][order[c]] - mean[c]) / deviation[c], resized in 0..255.
 * Gray from colour: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Letterbox keeps the aspect ratio,
 * centres the picture and fills the rest with `fill` (0..255). */
typedef struct preprocess {
    uint32_t width, height;
    channel_order channels;
    float mean[3], deviation[3];
    fit_mode fit;
    sampling sampling;
    float fill;
} preprocess;

/* Where a picture of width x height lands in the network input: source pixels = (input - offset) /
 * scale, in pixels. The one place that knows letterboxing; decode maps boxes back through it. */
typedef struct placement {
    uint32_t x, y, width, height; /* the rectangle of the input that the picture covers */
} placement;
placement preprocess_place(const preprocess *p, uint32_t width, uint32_t height);

/* --- boxes out --- */
typedef struct anchor_level {
    uint32_t map_height, map_width;
    uint32_t size_count, ratio_count;
    /* sizes are fractions of the input's side, ratios width / height: a box of size s and ratio r
     * is s*sqrt(r) wide and s/sqrt(r) high. In double, because half a side is rounded only once. */
    double sizes[8], ratios[8];
} anchor_level;

/* How sizes and ratios combine at a cell: AIZOO and SSD-style "first": all sizes with ratios[0],
 * then sizes[0] with the remaining ratios; "product": every size with every ratio. */
typedef enum anchor_combine { ANCHORS_FIRST = 0, ANCHORS_PRODUCT } anchor_combine;

typedef struct anchor_spec {
    anchor_combine combine;
    bool clip; /* clip anchors to 0..1 */
    uint32_t level_count;
    anchor_level levels[8];
} anchor_spec;

/* order of the anchors: level, row, column, box of the cell */
uint64_t anchors_count(const anchor_spec *spec);
/* corners[4 * i ..] = xmin ymin xmax ymax of anchor i in fractions of the input. Centre (column +
 * 0.5) / map_width and half the sides are computed in double and each rounded to float; their sum
 * and difference are float operations. That is how the TensorFlow.js page makes them, bit for bit.
 */
void anchors_generate(const anchor_spec *spec, float *corners);

typedef enum nms_mode {
    NMS_TFJS = 0, /* suppressed when IoU >= t, IoU in double; score > t; ties to the lower index */
    NMS_TF,       /* suppressed when IoU > t, IoU in float (TensorFlow C++) */
    NMS_TFJS_PER_CLASS, /* as NMS_TFJS, but a box suppresses only its own class */
    NMS_TF_PER_CLASS,
    NMS_MODE_COUNT
} nms_mode;
const char *nms_mode_name(nms_mode m); /* "tfjs", "tf", "tfjs-per-class", "tf-per-class" */
bool nms_mode_from_name(const char *name, nms_mode *out);

typedef struct nms_params {
    nms_mode mode;
    double score_threshold; /* a score must be above it */
    double iou_threshold;
    uint32_t max_detections; /* 1 .. anchor count */
} nms_params;

enum { DETECTOR_MAX_ANCHORS = 65536 }; /* of a head */

/* The head of a detector: which graph outputs hold box codes (N, 4) and class scores (N, classes)
 * and how to read them. cx = loc[0] * variance[0] * aw + acx      w = exp(loc[2] * variance[2]) *
 * aw cy = loc[1] * variance[1] * ah + acy      h = exp(loc[3] * variance[3]) * ah       (SSD
 * centre-size coding) in float, in that order of operations; then corners cx -+ w/2. The class of
 * an anchor is the first maximum over all classes but `background`; a NaN is never a maximum, and
 * -0 counts (and is reported) as 0. */
typedef struct detector_head {
    int loc_output, score_output; /* indices into graph.outputs */
    uint32_t anchor_count, class_count;
    int background; /* class index that is no object, or -1 */
    float variance[4];
    const float *anchors; /* anchor_count x 4 corners */
} detector_head;

/* One detection, in fractions of the network input, not clipped. */
typedef struct detection {
    float box[4]; /* xmin ymin xmax ymax */
    float score;
    uint32_t class_id; /* index into the scores' columns */
    uint32_t anchor;
} detection;

/* --- the reference for all of it (engine/reference) --- */
/* STATUS_ARGUMENT when a tensor image has the wrong size, or an image no pixels, an unknown format
 * or too small a stride; STATUS_LIMIT beyond the sides that engine/sampling.h handles. */
status preprocess_check(const preprocess *p, const pixels *image, error *err);
/* input: (height, width, channels) floats of p. Fails where preprocess_check does. */
status reference_preprocess(const preprocess *p, const pixels *image, float *input, error *err);
/* boxes: anchor_count x 4 */
void reference_decode(const detector_head *head, const float *loc, float *boxes);
/* filter, sort by (score descending, anchor ascending), suppress. `out` holds
 * params->max_detections entries; *count is how many were kept, *candidates how many passed the
 * score threshold. Allocates scratch from a. */
status reference_detect(const allocator *a, const detector_head *head, const nms_params *params,
                        const float *loc, const float *scores, detection *out, uint32_t *count,
                        uint32_t *candidates, error *err);
/* The suppression alone: `sorted` holds candidates in their total order. Keeps at most
 * params->max_detections into out. Scratch-free; what settles the near-ties that a device flags. */
void reference_suppress(const nms_params *params, const detection *sorted, uint32_t count,
                        detection *out, uint32_t *kept);
/* IoU >= t (tfjs modes, double) or IoU > t (tf modes, float) of two boxes, whichever of their
 * corners come first; without an area the IoU is 0, with a NaN there is none (false) */
bool reference_overlaps(nms_mode mode, double iou_threshold, const float a[4], const float b[4]);

#endif
