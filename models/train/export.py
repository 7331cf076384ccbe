"""Writes the network as a TensorFlow.js layers model: model.json, weights.bin and card.json.

python -m models.train.export WEIGHTS.pt OUT [--float32] [--probe]

Batch norm is folded into the convolution before it, in double, and every weight rounded to
float32 and then to float16, to the nearest: that is what weights.bin holds and what whoever reads
it computes with, TensorFlow.js as well as vkdet. --float32 leaves the second rounding out. --probe
adds input.bin, boxes.bin and scores.bin (float32 little-endian, NHWC), one random input and what
PyTorch makes of it with the exported weights, for compare.js.
"""

import argparse
import copy
import hashlib
import json
import os
import re

import numpy as np
import torch

from . import anchors, network

WEIGHTS_FILE = "weights.bin"
# how the weights manifest says that float32 weights are stored as halves
HALF = {"dtype": "float16", "original_dtype": "float32"}
LABELS = {"en": list(network.CLASSES), "zh": ["佩戴口罩", "未佩戴口罩"]}


def fold(net):
    """{convolution: (kernel in PyTorch's order, bias or None)} with the batch norms folded in."""
    folded = {}
    for layer in net.layers:
        if layer.kind in ("conv", "depthwise"):
            part = net.parts[layer.name]
            kernel = part.weight.detach().double()
            folded[layer.name] = (kernel, part.bias.detach().double() if part.bias is not None
                                  else None)
        elif layer.kind == "norm":
            part = net.parts[layer.name]
            scale = part.weight.detach().double() / (part.running_var.double() + part.eps).sqrt()
            kernel, _ = folded[layer.inputs[0]]
            folded[layer.inputs[0]] = (kernel * scale[:, None, None, None],
                                       part.bias.detach().double() - part.running_mean.double()
                                       * scale)
    return folded


def as_stored(weights, half):
    """A tensor as whoever reads the export sees it: rounded, in float32."""
    weights = weights.float()
    if half:
        rounded = weights.half().float()
        if not torch.isfinite(rounded[torch.isfinite(weights)]).all():
            raise ValueError("a weight is beyond float16")
        return rounded
    return weights


def as_exported(net, half):
    """A network of the same layers with the exported weights in it, and no norms."""
    folded, exported = fold(net), copy.deepcopy(net)
    for layer in net.layers:
        if layer.kind in ("conv", "depthwise"):
            kernel, bias = (None if w is None else torch.nn.Parameter(as_stored(w, half))
                            for w in folded[layer.name])
            exported.parts[layer.name].weight = kernel
            exported.parts[layer.name].bias = bias
        elif layer.kind == "norm":
            exported.parts[layer.name] = torch.nn.Identity()
    return exported.eval()


def keras_layers(net, half):
    """The layers in Keras's words, and the weights they name: [(name, array)]."""
    folded = fold(net)
    # a norm is gone: what reads it reads its convolution; logits feed the sigmoid directly
    stands_for = {layer.name: layer.inputs[0] for layer in net.layers if layer.kind == "norm"}
    layers, weights = [], []

    def add(name, kind, inputs, **config):
        config["name"] = name
        sources = [[stands_for.get(i, i), 0, 0, {}] for i in inputs]
        layers.append({"class_name": kind, "config": config, "name": name,
                       "inbound_nodes": [sources] if sources else []})

    for layer in net.layers:
        a, name = layer.attributes, layer.name
        if layer.kind == "input":
            add(name, "InputLayer", (), batch_input_shape=[None, net.side, net.side, 3],
                dtype="float32", sparse=False)
        elif layer.kind in ("conv", "depthwise"):
            kernel, bias = folded[name]
            config = {"kernel_size": [a["kernel"]] * 2, "strides": [a["stride"]] * 2,
                      "padding": "same", "data_format": "channels_last", "dilation_rate": [1, 1],
                      "activation": "linear", "use_bias": bias is not None, "trainable": True}
            if layer.kind == "conv":
                add(name, "Conv2D", layer.inputs, filters=a["outputs"], **config)
                weights.append((name + "/kernel", kernel.permute(2, 3, 1, 0)))
            else:
                add(name, "DepthwiseConv2D", layer.inputs, depth_multiplier=1, **config)
                weights.append((name + "/depthwise_kernel", kernel.permute(2, 3, 0, 1)))
            if bias is not None:
                weights.append((name + "/bias", bias))
        elif layer.kind in ("relu", "sigmoid"):
            add(name, "Activation", layer.inputs, activation=layer.kind)
        elif layer.kind == "add":
            add(name, "Add", layer.inputs)
        elif layer.kind == "upsample":
            add(name, "UpSampling2D", layer.inputs, size=[2, 2], interpolation="nearest",
                data_format="channels_last")
        elif layer.kind == "reshape":
            add(name, "Reshape", layer.inputs, target_shape=[a["rows"], a["columns"]])
        elif layer.kind == "concat":
            add(name, "Concatenate", layer.inputs, axis=1)
    return layers, [(name, as_stored(w, half).contiguous().numpy().astype("<f2" if half else "<f4"))
                    for name, w in weights]


def card(net, files, name, version):
    return {
        "schema": 1,
        "name": name,
        "version": version,
        "description": "Face-mask SSD of depthwise-separable convolutions with maps at stride 4, "
                       "8, 16 and 32, trained by this project",
        "task": "detect",
        "source": "models/train",
        "licence": "MIT",
        "files": files,
        "input": {"width": net.side, "height": net.side, "channels": "rgb",
                  "mean": [127.5] * 3, "deviation": [127.5] * 3, "fit": "stretch",
                  "resize": "bilinear"},
        "outputs": {"boxes": "loc", "scores": "scores"},
        "labels": [{"language": code, "names": names} for code, names in LABELS.items()],
        "precisions": ["fp32", "fp16"],  # tests/api/test_precision.c compares them
        "anchors": {"combine": "first", "clip": False, "levels": [
            {"map": [cells, cells], "sizes": list(sizes), "ratios": [anchors.RATIO]}
            for _, cells, sizes in anchors.levels(net.side)]},
        "coding": {"type": "centre-size", "variances": list(anchors.VARIANCES)},
        "nms": {"mode": "tfjs", "score_threshold": 0.5, "iou_threshold": 0.5,
                "max_detections": 200},
    }


def card_text(about):
    """JSON to read: lists of plain items stay on one line."""
    text = json.dumps(about, indent=2, ensure_ascii=False)
    return re.sub(r"\[\n([^][{}]*?)\n *\]",
                  lambda items: "[" + " ".join(items[1].split()) + "]", text) + "\n"


def write(net, folder, name="street-320", version="1.0", half=True):
    """Writes the three files; returns their paths."""
    os.makedirs(folder, exist_ok=True)
    layers, weights = keras_layers(net, half)
    stored = {"quantization": HALF} if half else {}
    topology = {"class_name": "Model", "config": {
        "name": name, "layers": layers, "input_layers": [["input", 0, 0]],
        "output_layers": [["loc", 0, 0], ["scores", 0, 0]]}}
    model = {
        "format": "layers-model",
        "generatedBy": "models/train/export.py",
        "convertedBy": None,
        "modelTopology": {"keras_version": "2.2.4", "backend": "tensorflow",
                          "model_config": topology},
        "weightsManifest": [{"paths": [WEIGHTS_FILE], "weights": [
            {"name": key, "shape": list(array.shape), "dtype": "float32", **stored}
            for key, array in weights]}],
    }
    contents = {
        "model.json": json.dumps(model, separators=(",", ":")).encode() + b"\n",
        WEIGHTS_FILE: b"".join(array.tobytes() for _, array in weights),
    }
    files = [{"file": f, "sha256": hashlib.sha256(b).hexdigest()} for f, b in contents.items()]
    contents["card.json"] = card_text(card(net, files, name, version)).encode()
    for file, body in contents.items():
        with open(os.path.join(folder, file), "wb") as stream:
            stream.write(body)
    return [os.path.join(folder, file) for file in contents]


def probe(net, folder, half=True, seed=7):
    """One random input and PyTorch's own outputs beside the model."""
    exported = as_exported(net, half)
    x = np.random.default_rng(seed).uniform(-1, 1, (1, net.side, net.side, 3)).astype("<f4")
    with torch.no_grad():
        codes, logits = exported(torch.from_numpy(x).permute(0, 3, 1, 2))
    for file, array in (("input", x), ("boxes", codes.numpy()), ("scores", logits.sigmoid().numpy())):
        array.astype("<f4").tofile(os.path.join(folder, file + ".bin"))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights")
    parser.add_argument("out")
    parser.add_argument("--name", default="street-320")
    parser.add_argument("--version", default="1.0")
    parser.add_argument("--float32", action="store_true", help="weights as they are")
    parser.add_argument("--probe", action="store_true")
    options = parser.parse_args(argv)
    net = network.Network()
    net.load_state_dict(torch.load(options.weights, weights_only=True))
    half = not options.float32
    print(*write(net, options.out, options.name, options.version, half), sep="\n")
    if options.probe:
        probe(net, options.out, half)


if __name__ == "__main__":
    main()
