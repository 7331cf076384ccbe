"""The detector: depthwise-separable residual blocks, a top-down path, four SSD heads.

The network is a list of layers that PyTorch runs here and export.py writes as a TensorFlow.js
layers model: one description, two uses. Padding is TensorFlow's `same`: a stride of two on an even
side pads below and to the right only.
"""

from collections import namedtuple

import torch
from torch import nn
from torch.nn import functional as F

from . import anchors

CLASSES = ("mask", "no_mask")
SIDE = anchors.SIDE
# name, kind, names of inputs, attributes
Layer = namedtuple("Layer", "name kind inputs attributes")
# widths by stride; depth counts the residual blocks behind each entry
WIDTHS = {2: 16, 4: 40, 8: 80, 16: 128, 32: 192}
DEPTHS = {4: 2, 8: 4, 16: 4, 32: 2}


class Plan:
    """Collects layers; every method returns the name of the layer it added."""

    def __init__(self):
        self.layers = [Layer("input", "input", (), {"channels": 3})]
        self.channels = {"input": 3}

    def add(self, name, kind, inputs, channels, **attributes):
        self.layers.append(Layer(name, kind, tuple(inputs), attributes))
        self.channels[name] = channels
        return name

    def conv(self, name, x, out, kernel=1, stride=1, norm=True, relu=True):
        x = self.add(name, "conv", [x], out, kernel=kernel, stride=stride,
                     wide=self.channels[x], outputs=out, bias=not norm)
        if norm:
            x = self.add(name + "_norm", "norm", [x], out, outputs=out)
        return self.add(name + "_relu", "relu", [x], out) if relu else x

    def separable(self, name, x, out, stride=1, relu=True):
        width = self.channels[x]
        x = self.add(name + "_depthwise", "depthwise", [x], width, kernel=3, stride=stride,
                     outputs=width)
        return self.conv(name, x, out, relu=relu)

    def block(self, name, x):
        width = self.channels[x]
        y = self.separable(name, x, width, relu=False)
        y = self.add(name + "_add", "add", [x, y], width)
        return self.add(name + "_relu", "relu", [y], width)


def describe(side=SIDE, widths=None, depths=None):
    """The layers of the detector and the names of its two outputs."""
    widths, depths = widths or WIDTHS, depths or DEPTHS
    plan = Plan()
    x = plan.conv("stem", "input", widths[2], kernel=3, stride=2)
    maps = {}
    for stride in (4, 8, 16, 32):
        x = plan.separable(f"s{stride}_entry", x, widths[stride], stride=2)
        for i in range(depths[stride]):
            x = plan.block(f"s{stride}_block{i}", x)
        maps[stride] = x
    for stride in (16, 8, 4):
        # the 1x1 runs on the coarse map, where it costs a quarter
        y = plan.conv(f"up{stride}", x, widths[stride], relu=False)
        y = plan.add(f"up{stride}_resize", "upsample", [y], widths[stride])
        y = plan.add(f"up{stride}_add", "add", [maps[stride], y], widths[stride])
        y = plan.add(f"up{stride}_sum", "relu", [y], widths[stride])
        x = maps[stride] = plan.block(f"up{stride}_block", y)
    codes, scores = [], []
    for stride, cells, sizes in anchors.levels(side):
        x = plan.separable(f"head{stride}", maps[stride], widths[stride])
        for kind, width, into in (("loc", 4, codes), ("cls", len(CLASSES), scores)):
            y = plan.conv(f"{kind}{stride}", x, width * len(sizes), norm=False, relu=False)
            into.append(plan.add(f"{kind}{stride}_flat", "reshape", [y], width,
                                 rows=cells * cells * len(sizes), columns=width))
    plan.add("loc", "concat", codes, 4)
    plan.add("logits", "concat", scores, len(CLASSES))
    plan.add("scores", "sigmoid", ["logits"], len(CLASSES))
    return plan.layers


class Network(nn.Module):
    def __init__(self, side=SIDE, widths=None, depths=None):
        super().__init__()
        self.side = side
        self.layers = describe(side, widths, depths)
        self.parts = nn.ModuleDict()
        for layer in self.layers:
            a = layer.attributes
            if layer.kind == "conv":
                part = nn.Conv2d(a["wide"], a["outputs"], a["kernel"], a["stride"],
                                 padding=a["kernel"] // 2 if a["stride"] == 1 else 0,
                                 bias=a["bias"])
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
                if layer.name.startswith("cls"):  # a face is rare: start from 1 % (focal loss)
                    nn.init.normal_(part.weight, std=0.01)
                    nn.init.constant_(part.bias, -4.6)
                elif layer.name.startswith("loc"):
                    nn.init.normal_(part.weight, std=0.01)
                    nn.init.zeros_(part.bias)
            elif layer.kind == "depthwise":
                part = nn.Conv2d(a["outputs"], a["outputs"], a["kernel"], a["stride"],
                                 padding=1 if a["stride"] == 1 else 0, groups=a["outputs"],
                                 bias=False)
                nn.init.normal_(part.weight, std=0.3)
            elif layer.kind == "norm":
                part = nn.BatchNorm2d(a["outputs"], eps=1e-3, momentum=0.05)
            else:
                continue
            self.parts[layer.name] = part

    def forward(self, x):
        """x (B, 3, side, side) -> codes (B, N, 4), logits (B, N, classes)"""
        values = {"input": x}
        for layer in self.layers[1:]:
            given = [values[name] for name in layer.inputs]
            kind, x = layer.kind, given[0]
            if kind in ("conv", "depthwise"):
                if layer.attributes["stride"] == 2:
                    x = F.pad(x, (0, 1, 0, 1))
                x = self.parts[layer.name](x)
            elif kind == "norm":
                x = self.parts[layer.name](x)
            elif kind == "relu":
                x = F.relu(x)
            elif kind == "add":
                x = given[0] + given[1]
            elif kind == "upsample":
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            elif kind == "reshape":
                x = x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, layer.attributes["columns"])
            elif kind == "concat":
                x = torch.cat(given, 1)
            elif kind == "sigmoid":
                continue  # the loss works on logits; export and evaluation apply it
            values[layer.name] = x
        return values["loc"], values["logits"]


def cost(side=SIDE, widths=None, depths=None):
    """(multiply-adds of one image, weights once batch norm is folded)"""
    layers = describe(side, widths, depths)
    sides, macs, weights = {"input": side}, 0, 0
    for layer in layers[1:]:
        a = layer.attributes
        cells = sides[layer.inputs[0]] // a.get("stride", 1) * (2 if layer.kind == "upsample" else 1)
        sides[layer.name] = cells
        if layer.kind == "conv":
            taps = a["kernel"] ** 2 * a["wide"] * a["outputs"]
            weights += taps + a["outputs"]
        elif layer.kind == "depthwise":
            taps = a["kernel"] ** 2 * a["outputs"]
            weights += taps
        else:
            continue
        macs += taps * cells * cells
    return macs, weights
