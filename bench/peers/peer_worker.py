"""One peer as an engine that peers.py times in turn: the protocol is that of vkdet_worker.c.

    peer_worker.py ENGINE MODEL THREADS TENSOR WIDTH HEIGHT CHANNELS

ENGINE: ncnn-vulkan, ncnn-vulkan-direct (no Winograd), ncnn-cpu, onnxruntime-cpu. TENSOR holds the
network's input as float32, height x width x channels.
"""
import sys
import time

import numpy


def by_size(arrays):
    """Networks name and order their outputs differently; sizes tell them apart."""
    return sorted((numpy.asarray(a, numpy.float32).ravel() for a in arrays), key=lambda a: -a.size)


class Ncnn:
    def __init__(self, engine, model, threads, image):
        import ncnn

        self.ncnn = ncnn
        self.net = ncnn.Net()
        option = self.net.opt
        option.num_threads = threads
        option.use_vulkan_compute = engine != "ncnn-cpu"
        if engine == "ncnn-vulkan-direct":
            option.use_winograd_convolution = False
        # the same arithmetic on both sides: binary32 throughout
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(option, name, False)
        if option.use_vulkan_compute:
            if ncnn.get_gpu_count() == 0:
                raise RuntimeError("ncnn sees no Vulkan device")
            self.net.set_vulkan_device(0)
        if self.net.load_param(model) != 0 or self.net.load_model(model[: -len(".param")] + ".bin") != 0:
            raise RuntimeError(model + ": ncnn cannot load it")
        planes = numpy.ascontiguousarray(image.transpose(2, 0, 1))
        self.input = ncnn.Mat(planes).clone()
        self.name = self.net.input_names()[0]
        self.outputs = self.net.output_names()

    def describe(self):
        place = self.ncnn.get_gpu_info(0).device_name() if self.net.opt.use_vulkan_compute else "CPU"
        return "%s (ncnn %s) fp32" % (place, self.ncnn.__version__)

    def forward(self):
        with self.net.create_extractor() as extractor:
            extractor.input(self.name, self.input)
            return [extractor.extract(name)[1] for name in self.outputs]


class OnnxRuntime:
    def __init__(self, _engine, model, threads, image):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.version = onnxruntime.__version__
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        wanted = self.session.get_inputs()[0]
        planes = wanted.shape[1] == image.shape[2]
        image = image.transpose(2, 0, 1) if planes else image
        self.feed = {wanted.name: numpy.ascontiguousarray(image[None])}

    def describe(self):
        return "CPU (ONNX Runtime %s) fp32" % self.version

    def forward(self):
        return self.session.run(None, self.feed)


def serve(peer):
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "outputs":
            arrays = by_size(numpy.array(a) for a in peer.forward())
            numpy.concatenate(arrays).tofile(argument)
            print("ok", *(a.size for a in arrays), flush=True)
        elif command == "run":
            peer.forward()
            taken, end = [], time.monotonic() + float(argument)
            while not taken or time.monotonic() < end:
                before = time.monotonic_ns()
                peer.forward()
                taken.append(time.monotonic_ns() - before)
            print(*taken, flush=True)
        else:
            print("error no such command", flush=True)


def main():
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    engine, model, threads, tensor = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    width, height, channels = map(int, sys.argv[5:8])
    image = numpy.fromfile(tensor, numpy.float32).reshape(height, width, channels)
    try:
        peer = (OnnxRuntime if engine == "onnxruntime-cpu" else Ncnn)(engine, model, threads, image)
    except Exception as problem:  # whatever it is, the driver shows it
        print("error", str(problem).replace("\n", " "), flush=True)
        return 1
    print("ready", peer.describe(), flush=True)
    serve(peer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
