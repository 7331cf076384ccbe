"""The same network in PyTorch, on the same device: images a second of the bare forward.

    torch_peer.py MODEL.json [--batch 1,8,64] [--precision fp32,fp16] [--device cuda] [--budget SECONDS]
                  [--json FILE] [--check OUTPUTS --tensor TENSOR] [--noise FILE]

MODEL.json is a TensorFlow.js layers model; it is rebuilt with torch's own layers (batch norms folded
into the convolutions, channels last), so nothing else needs to be installed. The input lies on the
device. Each batch is timed plain and as a CUDA graph; then, from the fastest batch of each precision
on and as long as --budget lasts, through torch.compile. The fastest counts. --check compares the outputs with those that vkdet_worker wrote for the same
input.
"""
import argparse
import json
import os
import statistics
import sys
import time

import numpy
import torch
from torch.nn import functional

TYPES = {"float32": numpy.float32, "float16": numpy.float16, "uint8": numpy.uint8, "uint16": numpy.uint16, "int32": numpy.int32}


def read_weights(path, manifest):
    weights = {}
    for group in manifest:
        files = (os.path.join(os.path.dirname(path), p) for p in group["paths"])
        data, at = b"".join(open(f, "rb").read() for f in files), 0
        for entry in group["weights"]:
            packing = entry.get("quantization", {})
            kind = numpy.dtype(TYPES[packing.get("dtype", entry["dtype"])])
            count = int(numpy.prod(entry["shape"]))
            array = numpy.frombuffer(data, kind, count, at).astype(numpy.float32)
            if "scale" in packing:
                array = array * packing["scale"] + packing["min"]
            weights[entry["name"]] = array.reshape(entry["shape"])
            at += count * kind.itemsize
    return weights


def activation(name, x):
    names = {
        "linear": lambda v: v, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
        "relu6": functional.relu6, "elu": functional.elu, "swish": functional.silu,
        "softmax": lambda v: torch.softmax(v, -1),
    }
    return names[name](x)


def same_padding(size, kernel, stride):
    whole = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return whole // 2, whole - whole // 2


def pad_same(x, kernel, stride, value):
    top, bottom = same_padding(x.shape[2], kernel[0], stride[0])
    left, right = same_padding(x.shape[3], kernel[1], stride[1])
    return functional.pad(x, (left, right, top, bottom), value=value) if top + bottom + left + right else x


class Network(torch.nn.Module):
    """Runs the layers in the file's order. Maps are N C H W in memory that is N H W C."""

    def __init__(self, path):
        super().__init__()
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        config = document["modelTopology"]["model_config"]["config"]
        weights = read_weights(path, document["weightsManifest"])
        self.layers, self.inputs, self.outputs = [], config["input_layers"], [n[0] for n in config["output_layers"]]
        for layer in config["layers"]:
            nodes = layer["inbound_nodes"]
            sources = [link[0] for link in nodes[0]] if nodes else []
            mine = {n.split("/")[-1]: w for n, w in weights.items() if n.split("/")[0] == layer["config"]["name"]}
            self.layers.append([layer["class_name"], layer["config"], sources, self.keep(layer, mine)])
        self.fold()

    def input_shape(self):
        layer = next(c for k, c, _, _ in self.layers if k == "InputLayer")
        return layer["batch_input_shape"][1:]

    def keep(self, layer, weights):
        kind, name = layer["class_name"], layer["config"]["name"]
        kernel = weights.get("kernel", weights.get("depthwise_kernel"))
        if kind == "BatchNormalization":
            scale = 1 / numpy.sqrt(weights["moving_variance"] + layer["config"]["epsilon"]) * weights.get("gamma", 1.0)
            return {"scale": scale, "shift": weights.get("beta", 0.0) - weights["moving_mean"] * scale}
        if kernel is None:
            return None
        if kind == "DepthwiseConv2D":
            kernel = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        bias = weights.get("bias", numpy.zeros(kernel.shape[0], numpy.float32))
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(torch.from_numpy(kernel.copy()), requires_grad=False)
        module.bias = torch.nn.Parameter(torch.from_numpy(bias.copy()), requires_grad=False)
        self.add_module("layer_" + name.replace(".", "_"), module)
        return module

    def fold(self):
        """A batch norm that alone reads a convolution without activation goes into it."""
        made = {layer[1]["name"]: layer for layer in self.layers}
        readers = {}
        for layer in self.layers:
            for source in layer[2]:
                readers.setdefault(source, []).append(layer)
        for layer in self.layers:
            if layer[0] != "BatchNormalization":
                continue
            before = made[layer[2][0]]
            alone = len(readers[layer[2][0]]) == 1 and before[1].get("activation", "linear") == "linear"
            if not (alone and before[0] in ("Conv2D", "DepthwiseConv2D")):
                raise SystemExit("torch_peer: a batch norm that cannot be folded: " + layer[1]["name"])
            scale, shift = (torch.as_tensor(layer[3][k], dtype=torch.float32) for k in ("scale", "shift"))
            module = before[3]
            module.weight.data = module.weight * scale.reshape(-1, 1, 1, 1)
            module.bias.data = module.bias * scale + shift
            layer[0] = "Identity"

    def forward(self, x):
        values = {self.inputs[0][0]: x}
        for kind, config, sources, module in self.layers:
            if kind == "InputLayer":
                continue
            inputs = [values[s] for s in sources]
            values[config["name"]] = self.apply(kind, config, inputs, module)
        return [values[name] for name in self.outputs]

    @staticmethod
    def apply(kind, config, inputs, module):
        x = inputs[0]
        if kind in ("Conv2D", "DepthwiseConv2D"):
            stride, dilation = config["strides"], config.get("dilation_rate", [1, 1])
            kernel = [(k - 1) * d + 1 for k, d in zip(module.weight.shape[2:], dilation)]
            if config["padding"] == "same":
                x = pad_same(x, kernel, stride, 0.0)
            groups = x.shape[1] if kind == "DepthwiseConv2D" else 1
            x = functional.conv2d(x, module.weight, module.bias, stride, 0, dilation, groups)
            return activation(config.get("activation", "linear"), x)
        if kind == "MaxPooling2D":
            if config["padding"] == "same":
                x = pad_same(x, config["pool_size"], config["strides"], float("-inf"))
            return functional.max_pool2d(x, config["pool_size"], config["strides"])
        if kind == "ZeroPadding2D":
            (top, bottom), (left, right) = config["padding"]
            return functional.pad(x, (left, right, top, bottom))
        if kind == "Activation":
            return activation(config["activation"], x)
        if kind == "ReLU":
            most = config.get("max_value")
            return functional.relu(x) if most is None else functional.hardtanh(x, 0.0, float(most))
        if kind == "Reshape":
            rows = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
            return rows.reshape(x.shape[0], *config["target_shape"])
        if kind == "Concatenate":
            return torch.cat(inputs, 1 if inputs[0].dim() == 4 and config["axis"] in (-1, 3) else config["axis"])
        if kind == "Add":
            return sum(inputs[1:], inputs[0])
        if kind in ("Identity", "Dropout"):
            return x
        raise SystemExit("torch_peer: no layer %s" % kind)


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def rate(call, batch, device, seconds):
    """Images a second: the median of stretches of about a tenth of `seconds`."""
    for _ in range(5):
        call()
    wait(device)
    runs, samples, end = 1, [], time.monotonic() + seconds
    while len(samples) < 6 or time.monotonic() < end:
        before = time.perf_counter()
        for _ in range(runs):
            call()
        wait(device)
        taken = time.perf_counter() - before
        if taken < seconds / 20 and len(samples) < 3 and runs < 1 << 20:
            runs *= 2
            continue
        samples.append(runs * batch / taken)
    return {"median": statistics.median(samples), "min": min(samples), "max": max(samples), "n": len(samples)}


def graph_of(network, x):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            network(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(x)
    return graph.replay


def compiled(network, x, device):
    torch._dynamo.reset()  # a batch that came before would make this one dynamic
    faster = torch.compile(network, mode="max-autotune" if device == "cuda" else "default", dynamic=False)
    faster(x)
    return lambda: faster(x)


def ways(network, x, device):
    yield "plain", lambda: network(x)
    if device == "cuda":
        yield "graph", graph_of(network, x)


def check(network, a):
    height, width, channels = network.input_shape()
    x = torch.from_numpy(numpy.fromfile(a.tensor, numpy.float32).reshape(1, height, width, channels))
    with torch.inference_mode():
        got = [o.float().cpu().numpy().ravel() for o in network(x.permute(0, 3, 1, 2))]
    got = numpy.concatenate(got)
    truth = numpy.fromfile(a.check, numpy.float32)
    worst = float(numpy.abs(got - truth).max()) if got.size == truth.size else float("inf")
    print("torch: outputs within %.2g of vkdet's" % worst, flush=True)
    return worst <= 1e-4


class Run:
    """All rows, printed as they come."""

    def __init__(self, a, network):
        self.a, self.network, self.rows = a, network, {}
        self.end = time.monotonic() + a.budget

    def place(self, precision, batch):
        kind = torch.float16 if precision == "fp16" else torch.float32
        height, width, channels = self.network.input_shape()
        placed = self.network.to(device=self.a.device, dtype=kind, memory_format=torch.channels_last)
        x = torch.rand(batch, channels, height, width)
        return placed, x.to(device=self.a.device, dtype=kind, memory_format=torch.channels_last)

    def time(self, precision, batch, way, call):
        name = "torch.%s.%s.b%d.%s" % (self.a.device, precision, batch, way)
        r = self.rows[name] = rate(call, batch, self.a.device, self.a.seconds)
        print("%-36s = %.6g images/s  [min %.6g, max %.6g; n %d]" % (name, r["median"], r["min"], r["max"], r["n"]), flush=True)
        return r["median"]

    def all(self):
        rates = []
        for precision in self.a.precision.split(","):
            for batch in map(int, self.a.batch.split(",")):
                placed, x = self.place(precision, batch)
                best = max(self.time(precision, batch, way, call) for way, call in ways(placed, x, self.a.device))
                rates.append((best, precision, batch))
        if self.a.no_compile:
            return
        # the best of each precision first, then the second best ...
        ranks, turn = [], {}
        for _, precision, batch in sorted(rates, reverse=True):
            turn[precision] = turn.get(precision, 0) + 1
            ranks.append((turn[precision], precision, batch))
        for _, precision, batch in sorted(ranks):
            if time.monotonic() > self.end:
                print("torch: the time is over: the rest is not compiled", flush=True)
                return
            placed, x = self.place(precision, batch)
            self.time(precision, batch, "compile", compiled(placed, x, self.a.device))


def save(a, rows):
    about = torch.cuda.get_device_name() if a.device == "cuda" else "cpu"
    with open(a.json, "w", encoding="utf-8") as out:
        json.dump({"torch": torch.__version__, "device": about, "rows": rows}, out, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--batch", default="1,8,64")
    parser.add_argument("--precision", default="fp32,fp16")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--budget", type=float, default=600.0, help="seconds after which no further batch is compiled")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--noise", help="write a seeded input into this file, and end")
    parser.add_argument("--check")
    parser.add_argument("--tensor")
    parser.add_argument("--json")
    a = parser.parse_args()
    network = Network(a.model).eval()
    if a.noise:
        numpy.random.default_rng(1).random(network.input_shape(), numpy.float32).tofile(a.noise)
        return 0
    if a.check and not check(network, a):
        print("torch: withheld: its outputs differ", flush=True)
        return 6
    if a.device == "cuda":
        torch.backends.cudnn.benchmark = True
        # fp32 means fp32: torch would round the factors of convolutions to 10 bits
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    run = Run(a, network)
    try:
        with torch.inference_mode():
            run.all()
    finally:  # what was measured is kept, whatever compiling came to
        if a.json:
            save(a, run.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
