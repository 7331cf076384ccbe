/* The golden outputs of a model: TensorFlow.js runs it on the repository's own pictures.
 *
 * npm ci --ignore-scripts in this folder, then
 * node golden.js MODEL [OUT]
 *
 * MODEL holds model.json with its weights, card.json, and the pictures samples/NAME.png and
 * golden/NAME.png (golden_pictures.py). OUT (MODEL/golden unless given) receives
 *
 *   golden.json  digests of the model's files, and for each picture its size, the tolerances of
 *                rounding.js, and detections at the card's threshold and at the lowest one at which
 *                no decision (order, class, overlap) hangs on rounding
 *   NAME.bin     raw outputs, little-endian, a record an anchor: uint32 anchor, float32 code[4],
 *                float32 score[classes]. Every anchor of the picture with the fewest pixels; of
 *                the others the BEST best and every STRIDE-th, which keeps the folder below 1 MB
 *
 * The same model gives the same bytes again. Where a detection at the card's threshold hangs on
 * rounding, two correct programs may answer differently: that list is left out, and said. */
"use strict";
const fs = require("fs");
const path = require("path");
const crypto = require("crypto");
const {PNG} = require("pngjs");
const {core: tf, loadModel} = require("./tensorflow.js");
const {checkCard, toInput, makeAnchors, decode, suppress, margin} = require("./golden_detect.js");
const {tolerances} = require("./rounding.js");

const BEST = 500, STRIDE = 37; /* coprime with the boxes of a cell and the rows of every map */
const THRESHOLDS = Array.from({length: 19}, (_, i) => (i + 1) / 20);

/* [{file, name, width, height, rgb}] in the order of their paths */
function readPictures(folder) {
    return ["golden", "samples"].flatMap((part) => {
        const files = fs.readdirSync(path.join(folder, part)).filter((f) => f.endsWith(".png"));
        return files.sort().map((file) => {
            const {width, height, data} = PNG.sync.read(fs.readFileSync(
                path.join(folder, part, file)));
            const rgb = data.filter((_, i) => i % 4 !== 3); /* pngjs always gives RGBA */
            return {file: `${part}/${file}`, name: path.basename(file, ".png"), width, height, rgb};
        });
    });
}

/* The largest error of a box in pixels that codes off by `error` cause: the derivative of the box
 * coding, and the rounding of a handful of operations on fractions of the input. */
function boxError(card, anchors, boxes, picture, error) {
    const [shiftX, shiftY, stretchX, stretchY] = card.coding.variances;
    const rounding = 8 * 2 ** -24;
    let most = 0;
    anchors.forEach((anchor, i) => {
        const [x0, y0, x1, y1] = boxes[i];
        most = Math.max(most,
            picture.width * (error * (shiftX * anchor.width + stretchX * (x1 - x0) / 2) + rounding),
            picture.height * (error * (shiftY * anchor.height + stretchY * (y1 - y0) / 2)
                + rounding));
    });
    return most;
}

function describe(found, kept, picture) {
    const clip = (v, most) => Math.min(Math.max(v * most, 0), most);
    return kept.map((i) => {
        const [x0, y0, x1, y1] = found.boxes[i];
        const box = [clip(x0, picture.width), clip(y0, picture.height), clip(x1, picture.width),
                     clip(y1, picture.height)];
        return {anchor: i, class: found.classes[i], score: found.best[i],
                box_xyxy: box.map(Math.fround)};
    });
}

/* detections at the card's threshold and at the lowest one, each only if it has a margin */
async function detectTwice(card, found, scores, picture, tolerance) {
    const errors = {score: tolerance.scores, iou: 4 * tolerance.boxes};
    const detectAt = async (threshold) => {
        const kept = await suppress(card, found, threshold);
        return margin(card, found, scores, kept, threshold, errors) > 1
            ? [{score_threshold: threshold, detections: describe(found, kept, picture)}] : [];
    };
    const runs = await detectAt(card.nms.score_threshold);
    if (runs.length === 0) {
        console.log(`${picture.file}: hangs on rounding at the card's threshold, left out there`);
    }
    for (const threshold of THRESHOLDS.filter((t) => t !== card.nms.score_threshold)) {
        const low = await detectAt(threshold);
        if (low.length > 0) {
            return [...runs, ...low];
        }
    }
    return runs;
}

/* which anchors' raw outputs are kept */
function chooseAnchors(best, all) {
    if (all) {
        return best.map((_, i) => i);
    }
    const ranked = best.map((_, i) => i).sort((a, b) => best[b] - best[a] || a - b);
    const chosen = new Set(ranked.slice(0, BEST));
    for (let i = 0; i < best.length; i += STRIDE) {
        chosen.add(i);
    }
    return [...chosen].sort((a, b) => a - b);
}

function writeRaw(file, chosen, codes, scores, classes) {
    const record = 4 * (1 + 4 + classes);
    const bytes = Buffer.alloc(record * chosen.length);
    chosen.forEach((anchor, k) => {
        bytes.writeUInt32LE(anchor, k * record);
        for (let i = 0; i < 4; i++) {
            bytes.writeFloatLE(codes[4 * anchor + i], k * record + 4 * (1 + i));
        }
        for (let c = 0; c < classes; c++) {
            bytes.writeFloatLE(scores[classes * anchor + c], k * record + 4 * (5 + c));
        }
    });
    fs.writeFileSync(file, bytes);
}

async function runPicture(net, card, anchors, picture, all, out) {
    const input = toInput(card, picture);
    const outputs = net.predict(input);
    const at = (name) => net.outputNames.findIndex((n) => n.split("/")[0] === name);
    const places = [at(card.outputs.boxes), at(card.outputs.scores)];
    const [codes, scores] = places.map((i) => outputs[i].dataSync());
    const bounds = tolerances(net, input);
    const tolerance = {boxes: bounds[places[0]], scores: bounds[places[1]]};
    const found = decode(card, anchors, codes, scores);
    tolerance.pixels = boxError(card, anchors, found.boxes, picture, tolerance.boxes);
    const runs = await detectTwice(card, found, scores, picture, tolerance);
    const chosen = chooseAnchors(found.best, all);
    writeRaw(path.join(out, picture.name + ".bin"), chosen, codes, scores,
        scores.length / anchors.length);
    tf.dispose([input, ...outputs]);
    console.log(`${picture.file}: ${picture.width}x${picture.height}, `
        + runs.map((r) => `${r.detections.length} detections above ${r.score_threshold}`).join(", ")
        + `, ${chosen.length} raw rows`);
    return {picture: picture.file, width: picture.width, height: picture.height,
            rows: chosen.length, tolerance, runs};
}

async function main(folder, out = path.join(folder, "golden")) {
    const card = JSON.parse(fs.readFileSync(path.join(folder, "card.json"), "utf8"));
    checkCard(card);
    const files = card.files.map(({file}) => {
        const bytes = fs.readFileSync(path.join(folder, file));
        return {file, sha256: crypto.createHash("sha256").update(bytes).digest("hex")};
    });
    const net = await loadModel(folder);
    const anchors = makeAnchors(card.anchors);
    const pictures = readPictures(folder);
    const fewest = Math.min(...pictures.map((p) => p.width * p.height));
    fs.mkdirSync(out, {recursive: true});
    const golden = {made_by: `TensorFlow.js ${tf.version_core}, cpu backend`, files, pictures: []};
    for (const picture of pictures) {
        golden.pictures.push(await runPicture(net, card, anchors, picture,
            picture.width * picture.height === fewest, out));
    }
    fs.writeFileSync(path.join(out, "golden.json"), JSON.stringify(golden, null, 1) + "\n");
}

if (process.argv.length < 3 || process.argv.length > 4) {
    console.error("usage: node golden.js MODEL [OUT]");
    process.exit(2);
}
main(...process.argv.slice(2)).catch((e) => {
    console.error(e.message);
    process.exit(1);
});
