"""Engines that are timed in turn: processes that sleep until they are told to run for a while.

An engine answers each line with a line, "error ..." when it failed, and writes nothing else; the protocol is that
of vkdet_worker.c. Before anything is timed its raw outputs are compared with those of vkdet's reference. The order
turns round by one each round, so that what changes with time (clocks, heat, neighbours) falls on all alike.
"""
import os
import select
import signal
import subprocess
import time

import numpy


class Late(RuntimeError):
    """No answer in time; the process was ended."""


class Engine:
    """A process, and those that it starts. `ready` waits for its first line, which says what it is."""

    def __init__(self, name, command, environment=None):
        self.name, self.rounds, self.about = name, [], ""
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", errors="replace",
            env=environment, start_new_session=True,
        )

    def ready(self, seconds=None):
        said = self.answer(seconds)
        if not said.startswith("ready "):
            raise self.senseless(said)
        self.about = said.removeprefix("ready ")
        return self

    def senseless(self, said):
        return RuntimeError("%s: an answer that is none: %s" % (self.name, ascii(said[:60])))

    def numbers(self, said, skip=0):
        try:
            return [int(n) for n in said.split()[skip:]]
        except ValueError:
            raise self.senseless(said) from None

    def answer(self, seconds=None):
        """The next line, within that time: an engine says one line when it is asked, so none is in a buffer."""
        if self.process.stdout.closed:
            raise RuntimeError("%s: ended" % self.name)
        if seconds is not None and not select.select([self.process.stdout], [], [], max(seconds, 0.0))[0]:
            self.kill()
            raise Late("%s: no answer within %.0f s" % (self.name, max(seconds, 0.0)))
        line = self.process.stdout.readline().strip()
        before, error, reason = line.partition("error ")
        if error or not line:
            raise RuntimeError("%s: %s" % (self.name, reason or "ended"))
        return before

    def tell(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            pass  # it has ended, which reading its answer says

    def ask(self, line, seconds=None):
        self.tell(line)
        return self.answer(seconds)

    def outputs(self, folder, seconds=None):
        path = os.path.join(folder, self.name.replace("/", "_"))
        counts = self.numbers(self.ask("outputs " + path, seconds), 1)
        parts = numpy.split(numpy.fromfile(path, numpy.float32), numpy.cumsum(counts)[:-1])
        return sorted(parts, key=lambda a: -a.size)

    def run(self, seconds, command="run", limit=None):
        self.rounds.append(self.numbers(self.ask("%s %g" % (command, seconds), limit)))

    def kill(self):
        """With what it started: a compiler left behind would be in the way of those that are timed."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # what was to be written has no reader any more

    def close(self, seconds=20):
        try:
            self.process.stdin.close()
            self.process.wait(seconds)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()


def distance(got, truth):
    """The largest difference of a raw output; infinite where there are others, or no numbers."""
    if [g.size for g in got] != [t.size for t in truth]:
        return float("inf")
    worst = max(float(numpy.abs(g - t).max()) for g, t in zip(got, truth))
    return worst if worst == worst else float("inf")


def take_turns(engines, rounds, run, until=None):
    """Each of them once a round; whole rounds only. Tells how many rounds it came to before `until`."""
    for turn in range(rounds):
        began = time.monotonic()
        for i in range(len(engines)):
            run(engines[(turn + i) % len(engines)])
        now = time.monotonic()
        if until is not None and now + (now - began) > until:
            return turn + 1
    return rounds


def summary_of(engine):
    """Milliseconds: the median of the rounds' medians, the smallest and largest of them."""
    per_round = [float(numpy.median(r)) / 1e6 for r in engine.rounds]
    return {"median_ms": float(numpy.median(per_round)), "min_ms": min(per_round), "max_ms": max(per_round)}


def ratio_of(ours, peer):
    """The peer's median over ours of the same round, above 1 we are faster: median, smallest, largest."""
    r = [float(numpy.median(p) / numpy.median(o)) for p, o in zip(peer.rounds, ours.rounds)]
    return {"median": float(numpy.median(r)), "min": min(r), "max": max(r)}
