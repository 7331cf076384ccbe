"""vkdet beside other engines: the same network, the same input, the same device, in turn.

Every engine is a process of its own that sleeps until it is told to run for a second (engines.py).
Before anything is timed the raw outputs of each engine are compared with vkdet's reference; an
engine that differs has its rows withheld and the exit status is 6.

A ratio is the peer's median over vkdet's of the same round: above 1 vkdet is faster. Printed are
the median of the rounds' ratios and the smallest and largest of them.
"""
import json
import os
import platform
import sys
import tempfile

import numpy

from arguments import VKDET, arguments, peers_of, rows_of
from engines import Engine, distance, ratio_of, summary_of, take_turns

HERE = os.path.dirname(os.path.abspath(__file__))
PAIRS = (  # vkdet's row, the peers it is held against
    ("vkdet-vulkan", ("ncnn-vulkan", "ncnn-vulkan-direct")),
    ("vkdet-vulkan-fp16", ("ncnn-vulkan",)),
    ("vkdet-cpu", ("onnxruntime-cpu", "ncnn-cpu")),
    ("vkdet-cpu-bf16", ("onnxruntime-cpu",)),
)


def engines_of(a, tensor):
    for row in rows_of(a):
        if row in VKDET:
            device, precision = VKDET[row]
            yield row, [a.worker, a.model, device or a.device, precision, str(a.threads), tensor]
        else:
            script = os.path.join(HERE, "peer_worker.py")
            yield row, [sys.executable, script, row, peers_of(a)[row], str(a.threads), tensor, *map(str, a.size)]


def start(a, tensor):
    environment = dict(os.environ)
    # a wrapper may start the interpreter in a way that loses its own folder of packages
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))
    running = []
    for name, command in engines_of(a, tensor):
        try:
            running.append(Engine(name, a.wrapper.split() + command, environment).ready())
        except RuntimeError as problem:
            print("%-22s not measured: %s" % (name, problem), flush=True)
    return running


def check(a, running, reference, folder):
    """Withholds what differs from the reference."""
    truth, good = reference.outputs(folder), []
    for engine in running:
        half = engine.name.endswith("16")
        limit = a.half_tolerance if half else a.tolerance
        worst = distance(engine.outputs(folder), truth)
        if worst <= limit:
            good.append(engine)
        verdict = "" if worst <= limit else "  WITHHELD: more than %g" % limit
        print("%-22s %s; outputs within %.2g of the reference%s" % (engine.name, engine.about, worst, verdict), flush=True)
    return good


def report(running):
    named = {e.name: e for e in running}
    rows, ratios = {}, {}
    print()
    for name, engine in named.items():
        rows[name] = summary_of(engine)
        print("%-42s = %8.3f ms  [rounds %.3f to %.3f]" % (name, *rows[name].values()))
    for ours, peers in PAIRS:
        for peer in peers:
            if ours in named and peer in named:
                r = ratios[peer + " / " + ours] = ratio_of(named[ours], named[peer])
                print("%-42s = %8.3f x   [rounds %.3f to %.3f]" % (peer + " / " + ours, *r.values()))
    medians = {name: [float(numpy.median(r)) for r in e.rounds] for name, e in named.items()}
    return {"rows": rows, "ratios": ratios, "rounds_ns": medians}


def main():
    a = arguments(__doc__)
    width, height, channels = a.size
    with tempfile.TemporaryDirectory() as folder:
        tensor = os.path.abspath(a.tensor) if a.tensor else os.path.join(folder, "tensor")
        if not a.tensor:
            noise = numpy.random.default_rng(20260526).random((height, width, channels), numpy.float32)
            noise.tofile(tensor)
        command = [a.worker, a.model, "reference", "fp32", "1", tensor]
        reference = Engine("reference", a.wrapper.split() + command).ready()
        started = start(a, tensor)
        good = check(a, started, reference, folder)
        reference.close()
        take_turns(good, a.rounds, lambda engine: engine.run(a.seconds))
        for engine in started:
            engine.close()
    document = report(good)
    if a.json:
        document.update({"engines": {e.name: e.about for e in started}, "machine": platform.platform(), "threads": a.threads})
        with open(a.json, "w", encoding="utf-8") as out:
            json.dump(document, out, indent=1)
    return 0 if len(good) == len(started) else 6


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as problem:
        sys.exit("peers: %s" % problem)
