"""The same network in PyTorch, as an engine that torch_turns.py times in turn with vkdet.

    torch_peer.py MODEL.json TENSOR [--device cuda|cpu] [--precision fp32|fp16] [--batch N] [--way WAY]

MODEL.json is a TensorFlow.js layers model; it is rebuilt with torch's own layers (batch norms folded into the
convolutions, channels last), so nothing else needs to be installed. WAY:

    plain      layer by layer
    graph      the same as one CUDA graph
    compile    torch.compile, and that as one CUDA graph
    autotune   the same with mode max-autotune: more kernels are tried

It does what it is told, a line at a time, and sleeps between; each answer is a line, "error ..." when it failed:

    compile          what needs no device to itself; answers "ok SECONDS"
    prepare          the rest, until a forward can be timed; nothing else should run. Answers "ok SECONDS NOTE"
    outputs FILE     one forward; the raw outputs of the batch's last picture as floats; answers how many each has
    resident SECONDS forwards back to back, the input lies on the device; the nanoseconds a batch of several stretches

TENSOR holds the network's input as floats; a batch is made of copies. fp32 means fp32: no TF32. The forward ends at the
raw outputs.
"""
import argparse
import json
import os
import sys
import time

try:
    import numpy
    import torch
    from torch.nn import functional
except (ImportError, OSError) as broken:  # OSError: a library that torch loads
    print("error %s: %s" % (type(broken).__name__, " ".join(str(broken).split())[:200]), flush=True)
    raise

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
        if kind == "UpSampling2D" and config.get("interpolation", "nearest") == "nearest":
            return functional.interpolate(x, scale_factor=tuple(map(float, config["size"])), mode="nearest")
        if kind == "Concatenate":
            return torch.cat(inputs, 1 if inputs[0].dim() == 4 and config["axis"] in (-1, 3) else config["axis"])
        if kind == "Add":
            return sum(inputs[1:], inputs[0])
        if kind in ("Identity", "Dropout"):
            return x
        raise SystemExit("torch_peer: no layer %s" % kind)


class Peer:
    """One way of running it, and the two calls that it comes to: one forward, and waiting."""

    def __init__(self, a, channel):
        self.a, self.channel = a, channel
        self.cuda = a.device == "cuda"
        kind = torch.float16 if a.precision == "fp16" else torch.float32
        place = {"device": a.device, "dtype": kind, "memory_format": torch.channels_last}
        network = Network(a.model).eval()
        height, width, channels = network.input_shape()
        picture = torch.from_numpy(numpy.fromfile(a.tensor, numpy.float32).reshape(1, height, width, channels))
        self.network = network.to(**place)
        self.x = picture.permute(0, 3, 1, 2).repeat(a.batch, 1, 1, 1).to(**place)
        self.call = lambda: self.network(self.x)
        self.told = a.way in ("plain", "graph")  # whether "compile" was answered

    def describe(self):
        name = torch.cuda.get_device_name() if self.cuda else "CPU"
        return "%s (PyTorch %s) %s" % (name, torch.__version__, self.a.precision)

    def backend(self, graph, inputs):
        """Compiles, says so, and lets nothing run before it is told to prepare: libraries choose their algorithms in
        the first run, by timing them, which is no use while other processes compile."""
        from torch._inductor import list_mode_options
        from torch._inductor.compile_fx import compile_fx

        # CUDA graphs are our own, so that no input is copied
        patches = list_mode_options("max-autotune-no-cudagraphs") if self.a.way == "autotune" else {}
        ready = compile_fx(graph, inputs, config_patches=patches)
        if not self.told:
            self.told = True
            self.channel.say("ok %.1f" % (time.monotonic() - self.began))
            if self.channel.hear() != "prepare":
                raise EOFError
            self.began = time.monotonic()
        return ready

    def compile(self):
        """The answer is given on the way, by the backend; returns when all is ready to be timed."""
        if self.told:
            self.channel.say("ok 0")
            return
        faster = torch.compile(self.network, backend=self.backend, dynamic=False, fullgraph=True)
        self.call = lambda: faster(self.x)
        self.prepare()

    def prepare(self):
        self.began, note = time.monotonic(), ""
        self.call()
        if self.cuda and self.a.way != "plain":
            try:
                self.capture()
            except RuntimeError as problem:
                if self.a.way == "graph":
                    raise
                note = " without a CUDA graph: " + one_line(problem)
        self.wait()
        self.channel.say("ok %.1f%s" % (time.monotonic() - self.began, note))

    def capture(self):
        side, forward = torch.cuda.Stream(), self.call
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                forward()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = forward()

        def replay():
            graph.replay()
            return outputs

        self.call = replay

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize()

    def write_outputs(self, path):
        arrays = [o[-1].float().cpu().numpy().ravel() for o in self.call()]
        numpy.concatenate(arrays).tofile(path)
        self.channel.say(" ".join(["ok"] + [str(a.size) for a in arrays]))

    def stretch(self, runs):
        before = time.perf_counter_ns()
        for _ in range(runs):
            self.call()
        self.wait()
        return time.perf_counter_ns() - before

    def resident(self, seconds):
        """A stretch is as many batches as take a tenth of the time."""
        runs = 1
        while self.stretch(runs) < seconds * 1e8 and runs < 1 << 24:
            runs *= 2
        taken, end = [], time.monotonic() + seconds
        while not taken or time.monotonic() < end:
            taken.append(self.stretch(runs) // runs)
        self.channel.say(" ".join(map(str, taken)))


def one_line(problem):
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return "%s: %s" % (type(problem).__name__, lines[0][:200] if lines else "no reason given")


class Channel:
    """Standard input and output; what libraries print goes to standard error."""

    def __init__(self):
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def hear(self):
        return sys.stdin.readline().strip()

    def say(self, line):
        print(line, file=self.out, flush=True)


def serve(peer, channel):
    while True:
        command, _, argument = channel.hear().partition(" ")
        if not command:
            return
        if command == "compile":
            peer.compile()
        elif command == "prepare":
            peer.prepare()
        elif command == "outputs":
            peer.write_outputs(argument)
        elif command == "resident":
            peer.resident(float(argument))
        else:
            raise ValueError("no such command: " + command)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("tensor")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--way", choices=("plain", "graph", "compile", "autotune"), default="plain")
    a = parser.parse_args()
    channel = Channel()
    try:
        torch.backends.cudnn.benchmark = True
        # torch would round the factors of convolutions to 10 bits
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        with torch.inference_mode():
            peer = Peer(a, channel)
            channel.say("ready " + peer.describe())
            serve(peer, channel)
    except EOFError:
        return 0
    except (Exception, SystemExit) as problem:  # whatever it is, the driver shows it
        channel.say("error " + one_line(problem))
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
