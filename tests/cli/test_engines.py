"""test_engines.py SOURCE: engines that are timed in turn (bench/peers/engines.py), and the rows of torch_turns.py, with a
few lines of Python in the place of an engine; and the verdicts of bench/goals.py."""
import argparse
import os
import sys
import tempfile
import time
import unittest

import numpy

SOURCE = sys.argv.pop(1)
sys.path[:0] = [os.path.join(SOURCE, "bench", "peers"), os.path.join(SOURCE, "bench")]
sys.dont_write_bytecode = True
import engines  # noqa: E402
import goals  # noqa: E402
import torch_turns  # noqa: E402
from turns_arguments import Network  # noqa: E402

# answers what its argument says, a line each time it is asked; "sleep" does not answer, "end" ends
SCRIPT = """
import subprocess, sys, time
print("ready thing", flush=True)
answers = iter(sys.argv[1].split("|"))
for line in sys.stdin:
    answer = next(answers)
    if answer == "end":
        break
    if answer == "sleep":
        child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(sys.argv[2], "w") as file:
            file.write(str(child.pid))
        time.sleep(600)
    print(answer, flush=True)
"""


def engine(answers, note=os.devnull):
    return engines.Engine("some", [sys.executable, "-c", SCRIPT, answers, note]).ready(60)


def content(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def alive(pid):
    try:
        return content("/proc/%d/stat" % pid).rpartition(")")[2].split()[:1] not in ([], ["Z"])
    except OSError:  # it went while it was read
        return False


class Engines(unittest.TestCase):
    def test_answers(self):
        e = engine("10 20 30|error out of memory|5 error lost")
        self.assertEqual(e.about, "thing")
        e.run(0.1)
        self.assertEqual(e.rounds, [[10, 20, 30]])
        for reason in ("out of memory", "lost"):  # also behind numbers that were said before
            with self.assertRaisesRegex(RuntimeError, "some: " + reason):
                e.run(0.1)
        self.assertEqual(len(e.rounds), 1)
        e.close()

    def test_end(self):
        e = engine("end")
        with self.assertRaisesRegex(RuntimeError, "some: ended"):
            e.ask("run 1")
        e.process.wait()
        with self.assertRaisesRegex(RuntimeError, "some: ended"):
            e.ask("run 1")
        e.close()
        with self.assertRaisesRegex(RuntimeError, "some: ended"):
            e.ask("run 1")

    def test_late_engine_ends_with_what_it_started(self):
        with tempfile.TemporaryDirectory() as folder:
            note = os.path.join(folder, "child")
            e = engine("sleep", note)
            e.tell("run 1")
            while not content(note):
                time.sleep(0.01)
            child = int(content(note))
        self.assertTrue(alive(child))
        with self.assertRaisesRegex(engines.Late, "no answer within 0 s"):
            e.answer(-1)
        self.assertIsNotNone(e.process.poll())
        while alive(child):  # the signal is on its way
            time.sleep(0.01)
        e.close()

    def test_an_answer_that_is_none(self):
        e = engine("what?|ok 1 x")
        for ask in (lambda: e.run(0.1), lambda: e.outputs("/nowhere")):
            with self.assertRaisesRegex(RuntimeError, "some: an answer that is none: '"):
                ask()
        e.close()
        for said in (b"hello\n", b"\377\376\n"):
            e = engines.Engine("some", [sys.executable, "-c", "import os; os.write(1, %r)" % said])
            with self.assertRaisesRegex(RuntimeError, "some: an answer that is none: '"):
                e.ready(60)
            e.close()

    def test_distance(self):
        a = [numpy.array([1.0, 2.0]), numpy.array([3.0])]
        self.assertEqual(engines.distance(a, [a[0] + 0.5, a[1]]), 0.5)
        self.assertEqual(engines.distance(a, a[:1]), float("inf"))
        self.assertEqual(engines.distance([a[0] * float("nan"), a[1]], a), float("inf"))

    def test_order_turns_round(self):
        seen = []
        self.assertEqual(engines.take_turns("abc", 3, seen.append), 3)
        self.assertEqual("".join(seen), "abcbcacab")
        self.assertEqual(engines.take_turns("ab", 3, seen.append, until=0), 1)

    def test_ratio_is_of_the_same_round(self):
        ours, peer = engine("end"), engine("end")
        ours.rounds, peer.rounds = [[10, 10, 99], [20]], [[20], [60]]
        self.assertEqual(engines.ratio_of(ours, peer), {"median": 2.5, "min": 2.0, "max": 3.0})
        self.assertEqual(engines.summary_of(peer), {"median_ms": 40e-6, "min_ms": 20e-6, "max_ms": 60e-6})
        ours.close()
        peer.close()


class Rows(unittest.TestCase):
    def row(self, answers):
        network = Network("toy=toy.vkdet,model.json")
        row = torch_turns.Row(torch_turns.Case(network, "fp16", 8), "compile")
        row.engine = engine(answers)
        return row

    def test_a_row_that_fails_is_named_with_the_reason(self):
        row = self.row("error no kernel for that")
        self.assertFalse(row.attempt(lambda e: e.ask("compile")))
        self.assertEqual((row.name, row.reason, row.engine), ("toy.fp16.b8.compile", "some: no kernel for that", None))
        self.assertFalse(row.attempt(lambda e: self.fail("asked again")))

    def test_a_late_row(self):
        row = self.row("sleep")
        self.assertFalse(row.attempt(lambda e: e.ask("compile", 0.0), "not compiled within 0 s"))
        self.assertEqual(row.reason, "not compiled within 0 s")

    def test_network(self):
        for text in ("toy", "toy=a", "=a,b", "toy=,b", "s/x=a,b", "/x=a,b", "x y=a,b", "x\n=a,b"):
            with self.assertRaises(argparse.ArgumentTypeError):
                Network(text)


class Goals(unittest.TestCase):
    def test_verdicts(self):
        higher, lower = ({"better": b, "goal": g, "stretch": s} for b, g, s in (("higher", 1.0, 2.0), ("lower", 2.0, 1.0)))
        for measured, up, down in ((0.9, "missed", "stretch met"), (1.0, "met", "stretch met"), (1.5, "met", "met"),
                                   (2.0, "stretch met", "met"), (2.1, "stretch met", "missed"), (None,) + ("not measured",) * 2):
            self.assertEqual(goals.verdict(higher, measured), up)
            self.assertEqual(goals.verdict(lower, measured), down)
        for low, high, up, down in ((1.0, 2.0, "met", "met"), (0.9, 1.9, "met on the median", "met"), (1.2, 2.1, "met", "met on the median")):
            self.assertEqual(goals.verdict(higher, 1.5, low, high), up)
            self.assertEqual(goals.verdict(lower, 1.5, low, high), down)
        self.assertEqual(goals.verdict(higher, 2.5, 1.5, 3.0), "stretch met on the median")
        self.assertEqual(goals.verdict(higher, 0.5, 0.1, 1.5), "missed")

    def test_the_goals_of_a_gpu_are_not_those_of_another_device(self):
        rows = [goals.row("aizoo-260", key, "what", "fp16", 1, "x", 1e9) for key in ("resident.fp16", "memory.arena.fp16")]
        for names, judged in (({"NVIDIA H200"}, "stretch met"), ({"llvmpipe", "NVIDIA H200"}, goals.NOT_JUDGED)):
            said = {c["row"]: c["verdict"] for c in goals.compare(rows, names)}
            self.assertEqual(said["gpu.resident.fp16"], judged)
            self.assertEqual(said["memory.arena.fp16"], "missed")
            self.assertEqual(said["gpu.resident.fp32"], "not measured")

    def test_a_device_of_the_host_has_no_memory_of_its_own(self):
        goals_load, session = goals.load, {"arena_bytes_per_image": 3e6, "device_bytes": 0}
        goals.load = lambda folder, name: {"session": session}
        try:
            host = [r for r in goals.memory("", "n") if r["row"].startswith("memory.b")]
            session["device_bytes"] = 5e6
            device = [r for r in goals.memory("", "n") if r["row"].startswith("memory.b")]
        finally:
            goals.load = goals_load
        self.assertEqual({goals.measured(r) for r in host}, {"not measured: it has no memory of its own"})
        self.assertEqual({goals.measured(r) for r in device}, {"5 MB"})

    def test_every_way_counts_but_the_fastest_most(self):
        rows = [{"network": "n", "precision": "fp16", "batch": 8, "way": way, "ratio": {"median": m, "min": m, "max": m}}
                for way, m in (("graph", 3.0), ("compile", 0.8))]
        rows += [{"network": "n", "precision": "fp16", "batch": 8, "way": "autotune", "reason": "failed"},
                 {"network": "n", "precision": "fp16", "batch": 1, "way": "graph", "ratio": {"median": 0.5, "min": 0.5, "max": 0.5}}]
        goals_load, goals.load = goals.load, lambda folder, name: {"rows": rows}
        try:
            found = list(goals.torch("", "n"))
        finally:
            goals.load = goals_load
        self.assertEqual([(r["row"], r["value"]) for r in found], [("torch.fp16", 0.8), ("torch.fp32", None)])
        self.assertEqual(found[0]["note"], "PyTorch: compile; not measured: autotune")


if __name__ == "__main__":
    unittest.main()
