"""The arguments of peers.py, read and checked with nothing but Python's own library.

peers.sh runs this file by itself before it installs anything, so that a worker that was not built or a
row that is misspelt costs no download. Silent when all is well; what is wrong is one line and exit
status 2.
"""
import argparse
import os
import shutil
import sys

VKDET = {  # device, precision
    "vkdet-vulkan": (None, "fp32"),
    "vkdet-vulkan-fp16": (None, "fp16"),
    "vkdet-cpu": ("cpu", "fp32"),
    "vkdet-cpu-bf16": ("cpu", "bf16"),
    "vkdet-reference": ("reference", "fp32"),
}
NCNN = ("ncnn-vulkan", "ncnn-vulkan-direct", "ncnn-cpu")
DEFAULT = ("vkdet-vulkan", "vkdet-cpu")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, "%s: %s\n" % (self.prog, message))


def whole(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def positive(text):
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def size(text):
    parts = [whole(part) for part in text.split("x")]
    if len(parts) != 3:
        raise ValueError
    return parts


def parser_of(about):
    parser = Parser(prog="peers", description=about, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", required=True, help="the program vkdet_worker")
    parser.add_argument("--model", required=True, help="the network as a .vkdet container")
    parser.add_argument("--ncnn-param", help="the same network for ncnn; its .bin lies beside it")
    parser.add_argument("--onnx", help="the same network for ONNX Runtime")
    parser.add_argument("--size", type=size, default="260x260x3", help="of its input; default 260x260x3")
    parser.add_argument("--device", default="vulkan:0", help="of the Vulkan rows; default vulkan:0")
    parser.add_argument("--threads", type=whole, default=len(os.sched_getaffinity(0)), help="of the CPU rows")
    parser.add_argument("--rows", help="only these, with commas between: %s, and the peers'" % ", ".join(VKDET))
    parser.add_argument("--rounds", type=whole, default=7)
    parser.add_argument("--seconds", type=positive, default=1.0, help="each engine in each round")
    parser.add_argument("--tensor", help="the input as float32 in a file; default: seeded noise")
    parser.add_argument("--tolerance", type=positive, default=2e-5, help="largest difference of a raw output in fp32")
    # bfloat16 rounds each map by up to 2^-9; over twenty layers and outputs of a few units that makes some hundredths
    parser.add_argument("--half-tolerance", type=positive, default=0.1, help="the same in fp16 and bf16; default 0.1")
    parser.add_argument("--wrapper", default="", help="put before each command, such as a script that sets a loader up")
    parser.add_argument("--json", help="write all medians and ratios into this file")
    return parser


def peers_of(a):
    """The peers' rows that can be had: what each reads the network from."""
    peers = dict.fromkeys(NCNN, a.ncnn_param) if a.ncnn_param else {}
    if a.onnx:
        peers["onnxruntime-cpu"] = a.onnx
    return peers


def rows_of(a):
    return a.rows.split(",") if a.rows else [*DEFAULT, *peers_of(a)]


def needed_files(a):
    yield "--model", a.model
    if a.ncnn_param:
        yield "--ncnn-param", a.ncnn_param
        yield "--ncnn-param", os.path.splitext(a.ncnn_param)[0] + ".bin"
    if a.onnx:
        yield "--onnx", a.onnx
    if a.tensor:
        yield "--tensor", a.tensor


def must_run(parser, flag, program):
    if shutil.which(program) is None:
        parser.error("%s: %s is no program that can be run" % (flag, program))


def must_be_read(parser, flag, path):
    if not (os.path.isfile(path) and os.access(path, os.R_OK)):
        parser.error("%s: %s is no file that can be read" % (flag, path))


def must_be_written(parser, flag, path):
    if path and (os.path.isdir(path) or not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK)):
        parser.error("%s: %s cannot be written" % (flag, path))


def check(parser, a):
    must_run(parser, "--worker", a.worker)
    for flag, path in needed_files(a):
        must_be_read(parser, flag, path)
    width, height, channels = a.size
    floats = os.path.getsize(a.tensor) / 4 if a.tensor else width * height * channels
    if floats != width * height * channels:
        parser.error("--tensor: %s has %g floats, and --size %dx%dx%d asks for %d" % (a.tensor, floats, *a.size, width * height * channels))
    for row in rows_of(a):
        if row not in VKDET and row not in peers_of(a):
            flag = "--onnx" if row == "onnxruntime-cpu" else "--ncnn-param"
            known = row == "onnxruntime-cpu" or row in NCNN
            parser.error("--rows: %s needs %s" % (row, flag) if known else "--rows: there is no %s" % row)
    if a.wrapper:
        must_run(parser, "--wrapper", (a.wrapper.split() or ["a blank"])[0])
    must_be_written(parser, "--json", a.json)


def arguments(about):
    parser = parser_of(about)
    a = parser.parse_args()
    check(parser, a)
    return a


if __name__ == "__main__":
    arguments("See peers.py: vkdet beside ncnn and ONNX Runtime, in turn, on the same input and device.")
