/* How far two correct single-precision runs of a network may differ: a statistical model of
 * rounding, evaluated on the very picture. golden.js turns it into the tolerance of the parity test.
 *
 * Each layer's output has a variance of its error. What came in is carried on as independent
 * errors are: through the squared weights of a convolution, the squared slope of an activation.
 * What a layer adds: a sum of n products rounds n + 2 times, whichever way it is ordered or fused,
 * each time by an amount spread evenly over +-u of a partial sum that is never larger than
 * S = sum |x w| + |b|, so at most (n + 2) u^2 S^2 / 3 (u = 2^-24; Higham and Mary, A New Approach
 * to Probabilistic Rounding Error Analysis, SISC 2019, for why roundings may be taken as random).
 */
"use strict";
const {core: tf, layers} = require("./tensorflow.js");

const U = 2 ** -24;
const SIGMAS = 4;

/* variance of `times` roundings of values no larger than `size` */
function roundings(times, size) {
    return tf.mul(tf.square(size), times * U * U / 3);
}

function convolution(layer, x, variance) {
    const kernel = layer.kernel ?? layer.depthwiseKernel;
    const weights = kernel.read();
    const depthwise = layer.getClassName() === "DepthwiseConv2D";
    const run = (input, w) => (depthwise ? tf.depthwiseConv2d : tf.conv2d)(input, w, layer.strides,
        layer.padding);
    const terms = weights.shape[0] * weights.shape[1] * (depthwise ? 1 : weights.shape[2]);
    let size = run(tf.abs(x), tf.abs(weights));
    if (layer.bias) {
        size = tf.add(size, tf.abs(layer.bias.read()));
    }
    return tf.add(run(variance, tf.square(weights)), roundings(terms + 2, size));
}

function activation(layer, y, variance) {
    switch (layer.getConfig().activation) {
    case "relu":
        return tf.mul(variance, tf.cast(tf.greater(y, 0), "float32"));
    case "sigmoid": { /* slope y (1 - y); exp, sum, quotient within a few units */
        const slope = tf.mul(y, tf.sub(1, y));
        return tf.add(tf.mul(variance, tf.square(slope)), roundings(8, y));
    }
    default:
        throw new Error(`${layer.name}: no model of the rounding of this activation`);
    }
}

/* the variance of a layer's output y, from its inputs and their variances */
function propagate(layer, inputs, variances, y) {
    switch (layer.getClassName()) {
    case "Conv2D":
    case "DepthwiseConv2D":
        return convolution(layer, inputs[0], variances[0]);
    case "Activation":
        return activation(layer, y, variances[0]);
    case "Add":
        return tf.add(tf.addN(variances), roundings(1, y));
    case "UpSampling2D":
    case "Reshape":
        return layer.apply(variances[0]);
    case "Concatenate":
        return layer.apply(variances);
    default:
        throw new Error(`${layer.name}: no model of the rounding of a ${layer.getClassName()}`);
    }
}

/* For each output of the model the largest difference that two runs on `input` may show: SIGMAS
 * standard deviations of the difference of its worst element. */
function tolerances(net, input) {
    return tf.tidy(() => {
        const all = layers.model({inputs: net.inputs, outputs: net.layers.map((l) => l.output)});
        const values = all.predict(input);
        const value = new Map(), variance = new Map();
        net.layers.forEach((layer, i) => {
            const sources = layer.inboundNodes[0].inboundLayers.map((l) => l.name);
            value.set(layer.name, values[i]);
            variance.set(layer.name, sources.length === 0
                /* the input: resized and normalised, a handful of operations on numbers up to 1 */
                ? roundings(8, tf.onesLike(input))
                : propagate(layer, sources.map((s) => value.get(s)),
                    sources.map((s) => variance.get(s)), values[i]));
        });
        return net.outputLayers.map(
            (layer) => SIGMAS * Math.sqrt(2 * tf.max(variance.get(layer.name)).dataSync()[0]));
    });
}

module.exports = {tolerances};
