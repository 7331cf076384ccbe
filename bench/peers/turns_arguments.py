"""The arguments of torch_turns.py, read and checked with nothing but Python's own library, the modules that it needs
among them: what is wrong is one line and exit status 2.
"""
import argparse
import importlib.util
import os
import re
import sys

from arguments import Parser, must_be_read, must_be_written, must_run, positive, whole

WAYS = {"cuda": ("graph", "compile", "autotune"), "cpu": ("plain", "compile", "autotune")}
PRECISIONS = ("fp16", "fp32")
LARGEST_BATCH = 4096  # vkdet's


class Network:
    def __init__(self, text):
        self.name, _, paths = text.partition("=")
        self.container, _, self.model = paths.partition(",")
        if not (self.container and self.model):
            raise argparse.ArgumentTypeError("NAME=CONTAINER,MODEL.json: " + text)
        if not re.fullmatch("[A-Za-z0-9._-]+", self.name):  # it becomes the name of a file
            raise argparse.ArgumentTypeError("a NAME is of A-Z a-z 0-9 . _ -: " + text)
        self.tensor, self.truth = None, None


def listed(text, read, what):
    """The items between commas, each once."""
    try:
        return list(dict.fromkeys(map(read, text.split(","))))
    except ValueError:
        raise argparse.ArgumentTypeError("%s, with commas between: %s" % (what, text)) from None


def batches(text):
    def read(item):
        if whole(item) > LARGEST_BATCH:
            raise ValueError
        return int(item)

    return listed(text, read, "whole numbers from 1 to %d" % LARGEST_BATCH)


def precisions(text):
    return listed(text, lambda item: PRECISIONS[PRECISIONS.index(item)], " or ".join(PRECISIONS))


def parser_of(about):
    parser = Parser(prog="torch_turns", description=about, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", required=True, help="the program vkdet_worker")
    parser.add_argument("--libraries", help="folder of its libraries, which Python must not get")
    parser.add_argument("--network", required=True, action="append", type=Network)
    parser.add_argument("--device", default="vulkan:0", help="vkdet's; default vulkan:0")
    parser.add_argument("--torch-device", choices=tuple(WAYS), default="cuda")
    parser.add_argument("--batch", type=batches, default="256,1")
    parser.add_argument("--precision", type=precisions, default="fp16,fp32")
    parser.add_argument("--ways", help="with commas between; default: graph,compile,autotune, on the cpu plain,compile,autotune")
    parser.add_argument("--rounds", type=whole, default=5)
    parser.add_argument("--seconds", type=positive, default=0.4, help="each row in each round")
    parser.add_argument("--slots", type=whole, default=4, help="vkdet's, in flight")
    parser.add_argument("--budget", type=positive, default=300.0, help="seconds of everything")
    parser.add_argument("--compile-seconds", type=positive, default=90.0, help="of each kind: compile, then autotune")
    # the same bound as for a GPU's convolutions in any order of summation; box codes are a few units
    parser.add_argument("--tolerance", type=positive, default=1e-4, help="largest difference of a raw output in fp32")
    parser.add_argument("--half-tolerance", type=positive, default=0.1, help="the same in fp16")
    parser.add_argument("--json", help="write all rows and ratios into this file")
    return parser


def check(parser, a):
    known = list(dict.fromkeys(("plain",) + WAYS[a.torch_device]))
    a.ways = list(dict.fromkeys(a.ways.split(","))) if a.ways else []
    for way in a.ways:
        if way not in known:
            parser.error("--ways: there is no %s on %s, but %s" % (way, a.torch_device, ", ".join(known)))
    names = [network.name for network in a.network]
    for network in a.network:
        if names.count(network.name) > 1:
            parser.error("--network: two are called " + network.name)
        must_be_read(parser, "--network", network.container)
        must_be_read(parser, "--network", network.model)
    must_run(parser, "--worker", a.worker)
    if a.libraries and not os.path.isdir(a.libraries):
        parser.error("--libraries: %s is no folder" % a.libraries)
    must_be_written(parser, "--json", a.json)
    missing = [module for module in ("numpy", "torch") if importlib.util.find_spec(module) is None]
    if missing:
        parser.error("%s has no module %s" % (sys.executable, " and no module ".join(missing)))


def arguments(about):
    parser = parser_of(about)
    a = parser.parse_args()
    check(parser, a)
    return a
