/* What a card (models/CARD.md) says around the network, written a second time in JavaScript from
 * that page alone: pixels to input, anchors, box codes, candidates; the suppression is
 * TensorFlow.js's own. Only what the repository's model needs; another card is refused by name. */
"use strict";
const {core: tf} = require("./tensorflow.js");

function need(condition, what) {
    if (!condition) {
        throw new Error(`card: ${what} is not what this recipe handles`);
    }
}

function checkCard(card) {
    need(card.task === "detect", `task ${card.task}`);
    need(card.background === undefined, "a background class");
    need(card.input.channels === "rgb", `channels ${card.input.channels}`);
    need(card.input.fit === "stretch", `fit ${card.input.fit}`);
    need(card.input.resize === "bilinear", `resize ${card.input.resize}`);
    need(card.coding.type === "centre-size", `coding ${card.coding.type}`);
    need(card.nms.mode === "tfjs", `nms mode ${card.nms.mode}`);
}

/* picture: {width, height, rgb: bytes}; [1, height, width, 3] floats */
function toInput(card, picture) {
    const {width, height, mean, deviation} = card.input;
    return tf.tidy(() => {
        const pixels = tf.tensor3d(Float32Array.from(picture.rgb),
            [picture.height, picture.width, 3]);
        const alignCorners = false, halfPixelCenters = false;
        const resized = tf.image.resizeBilinear(pixels, [height, width], alignCorners,
            halfPixelCenters);
        return tf.expandDims(tf.div(tf.sub(resized, tf.tensor1d(mean)), tf.tensor1d(deviation)));
    });
}

/* [{x, y, width, height}], centre and sides in fractions of the input */
function makeAnchors({combine, clip, levels}) {
    need(!clip, "clipping of anchors");
    const list = [];
    for (const {map: [rows, columns], sizes, ratios} of levels) {
        const kinds = combine === "product"
            ? sizes.flatMap((s) => ratios.map((r) => [s, r]))
            : [...sizes.map((s) => [s, ratios[0]]), ...ratios.slice(1).map((r) => [sizes[0], r])];
        for (let row = 0; row < rows; row++) {
            for (let column = 0; column < columns; column++) {
                for (const [size, ratio] of kinds) {
                    list.push({x: (column + 0.5) / columns, y: (row + 0.5) / rows,
                               width: size * Math.sqrt(ratio), height: size / Math.sqrt(ratio)});
                }
            }
        }
    }
    return list;
}

/* [xmin, ymin, xmax, ymax] of one anchor and its code, in double */
function decodeBox(anchor, code, variances) {
    const x = code[0] * variances[0] * anchor.width + anchor.x;
    const y = code[1] * variances[1] * anchor.height + anchor.y;
    const width = Math.exp(code[2] * variances[2]) * anchor.width;
    const height = Math.exp(code[3] * variances[3]) * anchor.height;
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}

/* {boxes: [[...]], best: scores, classes} of every anchor; codes and scores are flat arrays */
function decode(card, anchors, codes, scores) {
    const classes = scores.length / anchors.length;
    const boxes = [], best = [], kinds = [];
    anchors.forEach((anchor, i) => {
        boxes.push(decodeBox(anchor, codes.subarray(4 * i, 4 * i + 4), card.coding.variances));
        const row = Array.from(scores.subarray(classes * i, classes * (i + 1)));
        best.push(Math.max(...row));
        kinds.push(row.indexOf(best[i]));
    });
    return {boxes, best, classes: kinds};
}

/* indices of the anchors that are kept, best first */
async function suppress(card, found, scoreThreshold) {
    const corners = tf.tensor2d(found.boxes.map(([x0, y0, x1, y1]) => [y0, x0, y1, x1]));
    const scores = tf.tensor1d(found.best);
    const {max_detections: most, iou_threshold: overlap} = card.nms;
    const kept = await tf.image.nonMaxSuppressionAsync(corners, scores, most, overlap,
        scoreThreshold);
    const indices = Array.from(kept.dataSync());
    tf.dispose([corners, scores, kept]);
    return indices;
}

function iou(a, b) {
    const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
    const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
    const area = (c) => (c[2] - c[0]) * (c[3] - c[1]);
    return width * height / (area(a) + area(b) - width * height);
}

/* How far the decisions that led to `kept` are from falling the other way, in units of `errors`
 * ({score, iou}: how much another correct computation may differ): candidates near the threshold,
 * neighbours in the order, classes, overlaps near the limit. */
function margin(card, found, scores, kept, scoreThreshold, errors) {
    const classes = scores.length / found.best.length;
    let nearest = Infinity;
    const decide = (distance, error) => {
        nearest = Math.min(nearest, Math.abs(distance) / error);
    };
    const candidates = found.best.map((s, i) => [s, i]).filter(
        ([s]) => s > scoreThreshold - 2 * errors.score);
    for (const [score, i] of candidates) {
        const row = scores.subarray(classes * i, classes * (i + 1));
        const other = Math.max(...Array.from(row).filter((_, c) => c !== found.classes[i]));
        decide(score - scoreThreshold, errors.score);
        decide(score - other, 2 * errors.score);
        for (const k of kept) {
            if (k !== i && found.best[k] > score - 2 * errors.score) {
                const overlap = iou(found.boxes[k], found.boxes[i]);
                decide(overlap - card.nms.iou_threshold, errors.iou);
                if (overlap > card.nms.iou_threshold / 2 || kept.includes(i)) {
                    decide(found.best[k] - score, 2 * errors.score);
                }
            }
        }
    }
    return nearest;
}

module.exports = {checkCard, toInput, makeAnchors, decode, suppress, margin};
