/* Runs an exported model with TensorFlow.js and compares its outputs with PyTorch's.
 *
 * node compare.js FOLDER, after `export --probe` wrote FOLDER and `npm ci --ignore-scripts` ran here.
 * Fails when an output differs by more than 1e-4. */
"use strict";
const fs = require("fs");
const path = require("path");
const {core: tf, loadModel} = require("./tensorflow.js");

const LIMIT = 1e-4;

function floats(file) {
    const bytes = fs.readFileSync(file);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function main(folder) {
    const net = await loadModel(folder);
    const outputs = net.predict(tf.tensor(floats(path.join(folder, "input.bin")), net.inputs[0]
        .shape.map((n) => n || 1)));
    let worst = 0;
    ["boxes", "scores"].forEach((name, i) => {
        const wanted = floats(path.join(folder, name + ".bin"));
        const got = outputs[i].dataSync();
        if (got.length !== wanted.length) {
            throw new Error(`${name}: ${got.length} values, ${wanted.length} expected`);
        }
        const difference = wanted.reduce((most, w, k) => Math.max(most, Math.abs(w - got[k])), 0);
        console.log(`${name}: ${outputs[i].shape} largest difference ${difference}`);
        worst = Math.max(worst, difference);
    });
    if (!(worst <= LIMIT)) {
        throw new Error(`the exported model differs by ${worst}, more than ${LIMIT}`);
    }
}

main(process.argv[2]).catch((e) => {
    console.error(e.message);
    process.exit(1);
});
