/* What host and shaders agree on: bindings, the request, the result. Included by C and by GLSL, so only preprocessor and
 * plain structs of 32-bit words. Every word is a uint or float of 4 bytes; sizes are asserted on the C side.
 *
 * Descriptor set 0, the same five storage buffers for every kernel:
 *   0 arena    activations and candidates of a slot, read and written
 *   1 weights  packed weights and anchors, read
 *   2 pixels   the pictures of the request as 32-bit words, rows padded to 4 bytes, read
 *   3 request  request_header, then one image_entry a picture, read
 *   4 results  one result block a picture, written */
#ifndef SHADERS_INTERFACE_H
#define SHADERS_INTERFACE_H

#ifdef __STDC_VERSION__
#include <stdint.h>
typedef uint32_t iface_uint;
typedef float iface_float;
#else
#define iface_uint uint
#define iface_float float
#endif

#define BINDING_ARENA 0
#define BINDING_WEIGHTS 1
#define BINDING_PIXELS 2
#define BINDING_REQUEST 3
#define BINDING_RESULTS 4
#define BINDING_COUNT 5

/* The thresholds of one submission. t is the IoU threshold as a double, given as the sum of three floats, largest first:
 * iou_t0 + iou_t1 + iou_t2 == t exactly. A score passes when score > score_threshold, which is the largest float not
 * above the double that was asked for (so that the float comparison decides as the double one does). */
struct request_header {
    iface_uint batch;
    iface_uint nms_mode; /* engine/detector.h nms_mode */
    iface_uint max_detections;
    iface_float score_threshold;
    iface_float iou_t0;
    iface_float iou_t1;
    iface_float iou_t2;
    iface_uint reserved;
};
#define REQUEST_HEADER_WORDS 8

/* Candidates of a picture, in the arena:
 *   keys     CANDIDATE_HEADER_WORDS words, the first of which counts the candidates; then two words a candidate: the bits
 *            of its score (non-negative floats order as integers) and its anchor. Appended in any order by decode, in the
 *            total order (score descending, anchor ascending) after sort. Room for every anchor, padded to a power of two
 *   boxes    four floats an anchor, written for candidates only
 *   classes  one uint an anchor, written for candidates only */
#define CANDIDATE_HEADER_WORDS 64

/* One picture. When rows == 0 all its rows are there, `stride_words` apart. Otherwise only the rows that the resize reads
 * were uploaded: output row i of the placement rectangle reads stored rows 2i (its upper source row) and 2i + 1 (its
 * lower one). The resize itself is computed from width and height with integer arithmetic either way. */
struct image_entry {
    iface_uint offset_words; /* of the first stored row in the pixels buffer */
    iface_uint stride_words;
    iface_uint width;        /* of the picture */
    iface_uint height;
    iface_uint format;       /* engine/detector.h pixel_format */
    iface_uint packed_rows;  /* 0 or 1, see above */
    iface_uint place_x;      /* rectangle of the network input that the picture covers (preprocess_place) */
    iface_uint place_y;
    iface_uint place_width;
    iface_uint place_height;
    iface_uint reserved0;
    iface_uint reserved1;
};
#define IMAGE_ENTRY_WORDS 12

/* The result block of a picture: the header, then max_detections (the plan's capacity) detections. */
struct result_header {
    iface_uint count;      /* detections that follow */
    iface_uint candidates; /* anchors above the score threshold */
    iface_uint near_ties;  /* overlap decisions that single precision could not settle: the host lets the reference decide */
    iface_uint reserved;
};
#define RESULT_HEADER_WORDS 4

struct result_detection {
    iface_float box[4]; /* fractions of the network input */
    iface_float score;
    iface_uint class_id;
    iface_uint anchor;
    iface_uint reserved;
};
#define RESULT_DETECTION_WORDS 8

#endif
