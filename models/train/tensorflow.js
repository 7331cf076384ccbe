/* TensorFlow.js in pure JavaScript (the cpu backend, float32 throughout), and a layers model read
 * from a folder: what golden.js and compare.js share. */
"use strict";
const fs = require("fs");
const path = require("path");
const core = require("@tensorflow/tfjs-core");
const layers = require("@tensorflow/tfjs-layers");
require("@tensorflow/tfjs-backend-cpu");

/* FOLDER/model.json with its shards; halves become floats here, by TensorFlow.js itself. */
async function loadModel(folder) {
    await core.setBackend("cpu");
    const model = JSON.parse(fs.readFileSync(path.join(folder, "model.json"), "utf8"));
    const groups = model.weightsManifest;
    const bytes = Buffer.concat(groups.flatMap((group) => group.paths.map(
        (file) => fs.readFileSync(path.join(folder, file)))));
    return layers.loadLayersModel(core.io.fromMemory({
        modelTopology: model.modelTopology,
        weightSpecs: groups.flatMap((group) => group.weights),
        weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    }));
}

module.exports = {core, layers, loadModel};
