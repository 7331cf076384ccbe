#!/usr/bin/env python3
"""vkdet beside PyTorch on one device: the same networks, inputs, batches and precisions, in turn.

    torch_turns.py --worker vkdet_worker --network NAME=CONTAINER,MODEL.json [--network ...] [--device vulkan:0]
                   [--torch-device cuda] [--batch 256,1] [--precision fp16,fp32] [--budget SECONDS] [--json FILE]

Every row is a process of its own (engines.py): vkdet_worker's `resident`, and torch_peer.py as CUDA graph, through
torch.compile, and through it with max-autotune. What a row needs before it can be timed:

    1. its process starts, all at once
    2. it is compiled, those of a kind at once and no longer than --compile-seconds; nothing is timed meanwhile, but by
       max-autotune its own kernels, which therefore has no more at once than the rows of one batch
    3. it runs for the first time, one after the other: libraries choose their algorithms by timing them
    4. its outputs are compared with those of vkdet's reference

A row that fails in one of them, or for which the time is over, is named with the reason. Then, network by network and
batch by batch, all that are left are timed in turn. A ratio is PyTorch's time over vkdet's in the same round: above 1 vkdet is
faster; printed are the median of the rounds' ratios and the smallest and largest. Exit status 6: a row was withheld
because its outputs differ; 1: vkdet has no row.
"""
import json
import os
import signal
import sys
import tempfile
import time
from collections import namedtuple

from turns_arguments import WAYS, arguments

if __name__ == "__main__":  # what is wrong with them, a missing module too, is said before that is needed
    ARGUMENTS = arguments(__doc__)

import numpy

from engines import Engine, Late, distance, ratio_of, summary_of, take_turns

HERE = os.path.dirname(os.path.abspath(__file__))
Case = namedtuple("Case", "network precision batch")


class Row:
    """One engine of a case; without an engine it has the reason."""

    def __init__(self, case, way):
        self.case, self.way, self.engine, self.reason, self.failed_check = case, way, None, None, False
        self.about, self.notes, self.seconds = "", [], {}

    @property
    def name(self):
        return "%s.%s.b%d.%s" % (self.case.network.name, self.case.precision, self.case.batch, self.way)

    def leave(self, reason):
        print("%-36s not measured: %s" % (self.name, reason), flush=True)
        self.reason = reason
        if self.engine:
            self.engine.kill()
            self.engine = None

    def attempt(self, action, late=None):
        """Whether it went well; the row leaves with the reason when not."""
        if self.engine is None:
            return False
        try:
            action(self.engine)
            return True
        except Late as problem:
            self.leave(late or str(problem).removeprefix(self.name + ": "))
            return False
        except (RuntimeError, ValueError, IndexError, OSError) as problem:
            self.leave(str(problem).removeprefix(self.name + ": "))
            return False


def make_tensor(network, folder):
    """Seeded noise of the input's size."""
    try:
        with open(network.model, encoding="utf-8") as file:
            layers = json.load(file)["modelTopology"]["model_config"]["config"]["layers"]
        shape = next(l["config"]["batch_input_shape"] for l in layers if l["class_name"] == "InputLayer")[1:]
        noise = numpy.random.default_rng(20260526).random(shape, numpy.float32)
    except (ValueError, KeyError, TypeError, StopIteration) as problem:
        raise RuntimeError("%s is no layers model with an input (%s)" % (network.model, type(problem).__name__)) from None
    network.tensor = os.path.join(folder, network.name + ".tensor")
    noise.tofile(network.tensor)


class Turns:
    def __init__(self, a, folder):
        self.a, self.folder = a, folder
        self.end = time.monotonic() + a.budget
        self.ways = a.ways or WAYS[a.torch_device]
        self.ratios = {}
        self.environment = dict(os.environ)
        if a.libraries:
            old = self.environment.get("LD_LIBRARY_PATH")
            self.environment["LD_LIBRARY_PATH"] = a.libraries + (":" + old if old else "")
        # what matters most comes first: the best batch before the others, in every network
        cases = [Case(n, p, b) for b in a.batch for n in a.network for p in a.precision]
        self.rows = [Row(case, way) for case in cases for way in ("vkdet", *self.ways)]

    def left(self):
        return self.end - time.monotonic()

    def timing(self, ways, batches):
        """About what first runs and turns take of the rows that are left, but for those of max-autotune that are not
        compiled yet: they get what the others leave."""
        counted = [row for row in self.rows if row.engine and (
            row.way != "autotune" or "compile" in row.seconds or (row.way in ways and row.case.batch in batches))]
        return (1.5 + 1.5 * self.a.rounds * self.a.seconds) * len(counted)

    def worker(self, name, network, device, precision, *more):
        command = [self.a.worker, network.container, device, precision, "0", network.tensor, *map(str, more)]
        return Engine(name, command, self.environment)

    def references(self):
        for network in self.a.network:
            make_tensor(network, self.folder)
            engine = self.worker("reference of " + network.name, network, "reference", "fp32").ready(60)
            network.truth = engine.outputs(self.folder, 60)
            engine.close()

    def start(self):
        peer = [sys.executable, os.path.join(HERE, "torch_peer.py")]
        environment = dict(os.environ)
        at_once = sum(1 for row in self.rows if row.way == "compile") or 1
        environment["TORCHINDUCTOR_COMPILE_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // at_once))
        for row in self.rows:
            case = row.case
            if row.way != "vkdet":
                options = ["--device", self.a.torch_device, "--precision", case.precision, "--batch", str(case.batch)]
                row.engine = Engine(row.name, peer + [case.network.model, case.network.tensor, "--way", row.way] + options,
                                    environment)
        for row in self.rows:  # one after the other: a session may try its kernels
            case = row.case
            if row.way == "vkdet":
                row.engine = self.worker(row.name, case.network, self.a.device, case.precision, case.batch, self.a.slots)
                row.attempt(lambda engine: engine.ready(min(90, self.left())))
        for row in self.rows:
            if row.way != "vkdet":
                row.attempt(lambda engine: engine.ready(min(90, self.left())))

    def compile(self, ways, batches):
        """All at once."""
        rows = [row for row in self.rows if row.way in ways and row.case.batch in batches and row.engine]
        bound = max(0.0, min(self.a.compile_seconds, self.left() - self.timing(ways, batches)))
        end = time.monotonic() + bound
        for row in rows:
            row.engine.tell("compile")
        for row in rows:
            row.attempt(
                lambda engine: self.keep_seconds(row, "compile", engine.answer(end - time.monotonic())),
                "not compiled within %.0f s" % bound,
            )

    @staticmethod
    def keep_seconds(row, what, answer):
        words = answer.split(None, 2)
        row.seconds[what] = float(words[1])
        row.notes += words[2:]

    def prepare(self):
        """One after the other."""
        for row in self.rows:
            limit = min(60, self.left())
            if row.way != "vkdet" and not row.attempt(
                lambda engine: self.keep_seconds(row, "first run", engine.ask("prepare", limit))
            ):
                continue
            row.attempt(lambda engine: self.check(row, engine))

    def check(self, row, engine):
        half = row.case.precision != "fp32"
        limit = self.a.half_tolerance if half else self.a.tolerance
        worst = distance(engine.outputs(self.folder, min(60, self.left())), row.case.network.truth)
        if not worst <= limit:
            row.failed_check = True
            raise RuntimeError("WITHHELD: outputs within %.2g of the reference, not %g" % (worst, limit))
        row.about = engine.about
        took = "".join("; %s %.1f s" % item for item in row.seconds.items() if item[1] > 0)
        print("%-36s %s; outputs within %.2g of the reference%s%s"
              % (row.name, engine.about, worst, took, "".join("; " + n for n in row.notes)), flush=True)

    def time(self):
        for case in dict.fromkeys(row.case for row in self.rows):
            rows = [row for row in self.rows if row.case == case and row.engine]
            if self.left() < 2 * self.a.seconds * len(rows):
                for row in rows:
                    row.leave("the time was over")
                continue

            def run(row):
                row.attempt(lambda engine: engine.run(self.a.seconds, "resident", 60 + 20 * self.a.seconds))

            rounds = take_turns(rows, self.a.rounds, run, self.end)
            self.report([row for row in rows if row.engine], rounds)

    def report(self, rows, rounds):
        print("", flush=True)
        ours = next((row for row in rows if row.way == "vkdet"), None)
        for row in rows:
            ms = summary_of(row.engine)
            row.rate = {k: row.case.batch * 1000 / ms[m] for k, m in
                        (("median", "median_ms"), ("min", "max_ms"), ("max", "min_ms"))}
            row.rate["rounds"] = rounds
            print("%-36s = %10.6g images/s  [%d rounds, %.6g to %.6g]"
                  % (row.name, row.rate["median"], rounds, row.rate["min"], row.rate["max"]), flush=True)
        for row in rows:
            if ours and row is not ours:
                r = self.ratios[row.name] = ratio_of(ours.engine, row.engine)
                print("%-36s = %10.3f x  [rounds %.3f to %.3f]" % (("vkdet / " + row.name), *r.values()), flush=True)
        self.save()

    def document(self):
        rows = []
        for row in self.rows:
            entry = {"name": row.name, "network": row.case.network.name, "precision": row.case.precision,
                     "batch": row.case.batch, "way": row.way, "about": row.about, "seconds": row.seconds, "notes": row.notes}
            if hasattr(row, "rate"):
                entry["images_per_second"] = row.rate
                entry["ratio"] = self.ratios.get(row.name)
            else:
                entry["reason"] = row.reason or "not come to"
            rows.append(entry)
        return {"rows": rows, "rounds": self.a.rounds, "seconds": self.a.seconds, "slots": self.a.slots}

    def save(self):
        if self.a.json:
            with open(self.a.json + ".part", "w", encoding="utf-8") as out:
                json.dump(self.document(), out, indent=1)
            os.replace(self.a.json + ".part", self.a.json)

    def all(self):
        self.references()
        self.start()
        batches = list(dict.fromkeys(row.case.batch for row in self.rows))
        self.compile([way for way in self.ways if way != "autotune"], batches)
        for batch in batches:
            self.compile(["autotune"], [batch])
        self.prepare()
        self.save()
        self.time()

    def close(self):
        for row in self.rows:
            if row.engine:
                row.engine.close(5)
        self.save()


def main(a):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what follows ends its processes
    with tempfile.TemporaryDirectory() as folder:
        turns = Turns(a, folder)
        try:
            turns.all()
        finally:  # what was measured is kept, and no process stays behind
            turns.close()
    if any(row.failed_check for row in turns.rows):
        return 6
    return 0 if any(hasattr(row, "rate") for row in turns.rows if row.way == "vkdet") else 1


if __name__ == "__main__":
    try:
        sys.exit(main(ARGUMENTS))
    except (RuntimeError, OSError) as problem:
        sys.exit("torch_turns: %s" % problem)
