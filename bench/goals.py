"""What was to be reached (goals.csv), beside what was measured.

    goals.py summary FOLDER NOTE...    makes summary.md and summary.json of what gpu.sh left in FOLDER
    goals.py check PERFORMANCE.md      that its table of goals has every row, with the verdict that its figure asks for

Exit status: 1 a row is wrong, 2 the arguments are, 3 a file cannot be read or written.

Needs nothing but Python. A row that was not measured says so, with the reason where there is one. The goals are those of
AIZOO-260; other networks get the same rows without them.
"""
import csv
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOALS_OF = "aizoo-260"
GPU = "H200"  # that the rows gpu.* are about: on another device they are shown and not judged
NOT_MEASURED = "not measured"
NOT_JUDGED = "another device"


def goals():
    with open(os.path.join(HERE, "goals.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["goal"], row["stretch"] = float(row["goal"]), float(row["stretch"])
    return rows


def verdict(goal, measured, low=None, high=None):
    """stretch met, met, either of them on the median where the spread's worst end says less, missed, not measured"""
    if measured is None:
        return NOT_MEASURED
    said, worst = reached(goal, measured), low if goal["better"] == "higher" else high
    return said if worst is None or said in ("missed", reached(goal, worst)) else said + " on the median"


def reached(goal, measured):
    sign = 1 if goal["better"] == "higher" else -1
    if sign * measured >= sign * goal["stretch"] and goal["stretch"] != goal["goal"]:
        return "stretch met"
    return "met" if sign * measured >= sign * goal["goal"] else "missed"


# --- what gpu.sh left ----------------------------------------------------------------------------
def load(folder, name):
    """A document, or None: a part that was cut short leaves none, or half of one."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def row(network, key, what, precision, batch, unit, value, low=None, high=None, note=""):
    return {"network": network, "row": key, "what": what, "precision": precision, "batch": batch, "unit": unit,
            "value": value, "low": low, "high": high, "note": note}


def results(folder, network, part):
    document = load(folder, "%s.%s.json" % (network, part)) or {}
    return document.get("results") or []


def of_result(network, key, what, r):
    unit, withheld = r.get("unit"), r.get("withheld")
    note = "withheld: " + withheld if withheld else ""
    return row(network, key, what, r.get("precision"), r.get("batch"), unit, r.get("value"), r.get("low"), r.get("high"), note)


def throughput(folder, network, part, what, precisions=("fp16", "fp32")):
    """The best batch, and batch 1."""
    for precision in precisions:
        found = [r for r in results(folder, network, part) if r.get("metric") == "throughput" and r.get("precision") == precision]
        key = "%s.%s" % (part, precision)
        measured = [r for r in found if r.get("value") is not None]
        if not measured:
            reason = next((r["withheld"] for r in found if r.get("withheld")), "")
            yield row(network, key, what, precision, None, "images/s", None, note=reason)
            continue
        best = max(measured, key=lambda r: r["value"])
        yield of_result(network, key, what + ", best batch", best)
        for r in measured:
            if r["batch"] == 1 and best is not r:
                yield of_result(network, key + ".b1", what, r)


def latency(folder, network):
    for precision in ("fp16", "fp32"):
        for metric in ("p50", "p99"):
            key = "latency." + precision + ("" if metric == "p50" else "." + metric)
            what = "single-stream, pixels to boxes, " + metric
            found = [r for r in results(folder, network, "latency") if r.get("metric") == metric and r.get("precision") == precision]
            yield of_result(network, key, what, found[0]) if found else row(network, key, what, precision, 1, "ms", None)


def server(folder, network):
    found = [r for r in results(folder, network, "server") if r.get("metric") == "rate"]
    what = "server, pixels to boxes, p99 within 5 ms"
    for r in found:
        yield of_result(network, "server", what, r)
    if not found:
        yield row(network, "server", what, "fp16", None, "queries/s", None)


def memory(folder, network):
    for precision, batch in (("fp32", 1), ("fp16", 1), ("fp16", 64)):
        session = (load(folder, "%s.memory.%s.b%d.json" % (network, precision, batch)) or {}).get("session") or {}
        mega = {k: v / 1e6 for k, v in session.items() if k.endswith("_bytes") or k.endswith("_per_image")}
        arena, device = mega.get("arena_bytes_per_image"), mega.get("device_bytes") or None
        note = "it has no memory of its own" if session and device is None else ""
        if batch == 1:
            yield row(network, "memory.arena." + precision, "arena a picture", precision, batch, "MB", arena)
        yield row(network, "memory.b%d.%s" % (batch, precision), "device memory in all, two slots", precision, batch, "MB", device, note=note)


def torch(folder, network):
    """All rows of PyTorch, and of each precision the fastest at the largest batch: its ratio counts."""
    document = load(folder, "torch.json") or {}
    rows = [r for r in document.get("rows") or [] if r["network"] == network]
    for precision in ("fp16", "fp32"):
        mine = [r for r in rows if r["precision"] == precision]
        largest = max((r["batch"] for r in mine), default=None)
        last = [r for r in mine if r["batch"] == largest and r.get("ratio")]
        note = ""
        missing = [r["way"] for r in mine if r["batch"] == largest and not r.get("ratio") and r["way"] != "vkdet"]
        if last:
            fastest = min(last, key=lambda r: r["ratio"]["median"])
            note = "PyTorch: " + fastest["way"] + ("; not measured: " + ", ".join(missing) if missing else "")
            ratio = fastest["ratio"]
            yield row(network, "torch." + precision, "beside the fastest PyTorch", precision, largest, "x",
                      ratio["median"], ratio["min"], ratio["max"], note)
        else:
            yield row(network, "torch." + precision, "beside the fastest PyTorch", precision, largest, "x", None)


def rows_of(folder, network):
    yield from throughput(folder, network, "resident", "device-resident")
    yield from throughput(folder, network, "upload", "pixels to boxes, with upload")
    yield from latency(folder, network)
    yield from torch(folder, network)
    yield from memory(folder, network)
    yield from server(folder, network)
    yield from throughput(folder, network, "bytes", "JPEG of the network's size to boxes")
    yield from throughput(folder, network, "winograd", "device-resident, --winograd always", ("fp32",))


# --- as text ---------------------------------------------------------------------------------------
def number(value):
    return "%d" % round(value) if abs(value) >= 1000 else "%.4g" % value


def measured(r):
    if r["value"] is None:
        return NOT_MEASURED + (": " + r["note"] if r["note"] else "")
    spread = "" if r["low"] is None or r["high"] is None else " [%s to %s]" % (number(r["low"]), number(r["high"]))
    return number(r["value"]) + " " + r["unit"] + spread + (" (%s)" % r["note"] if r["note"] else "")


def devices(folder, networks):
    """Names of the devices that were measured."""
    documents = (load(folder, network + ".resident.json") or {} for network in networks)
    return {str(device.get("name")) for document in documents for device in document.get("devices") or []}


def compare(rows, names):
    """Each goal that a GPU can meet, with its row."""
    judged = all(GPU in name for name in names)
    mine = {r["row"]: r for r in rows if r["network"] == GOALS_OF}
    for goal in goals():
        key = goal["row"].removeprefix("gpu.")
        if goal["row"].startswith(("gpu.", "memory.")):
            r = mine.get(key)
            value = r["value"] if r else None
            said = verdict(goal, value, r["low"], r["high"]) if r else NOT_MEASURED
            if value is not None and goal["row"].startswith("gpu.") and not judged:
                said = NOT_JUDGED
            yield {**goal, "measured": value, "text": measured(r) if r else NOT_MEASURED, "verdict": said}


def table(heading, lines):
    bars = lambda cells: "| " + " | ".join("" if c is None else str(c) for c in cells) + " |"
    return [bars(heading), bars(["---"] * len(heading)), *map(bars, lines), ""]


def torch_table(document, network):
    for r in document.get("rows") or []:
        if r["network"] != network:
            continue
        rate, ratio = r.get("images_per_second"), r.get("ratio")
        what = "%s images/s [%s to %s]" % tuple(number(rate[k]) for k in ("median", "min", "max")) if rate else NOT_MEASURED
        beside = "%.2f [%.2f to %.2f]" % (ratio["median"], ratio["min"], ratio["max"]) if ratio else ""
        took = ["%s %.0f s" % item for item in r["seconds"].items() if item[1] >= 0.5]
        yield r["precision"], r["batch"], r["way"], what, beside, "; ".join(filter(None, [r.get("reason"), *took, *r["notes"]]))


def as_text(compared, rows, networks, document, notes):
    lines = ["- " + note for note in notes] + ["", "Goals (%s):" % GOALS_OF, ""]
    lines += table(("row", "goal", "stretch", "measured", "met?"),
                   [(c["what"], number(c["goal"]) + " " + c["unit"], number(c["stretch"]) + " " + c["unit"], c["text"], c["verdict"])
                    for c in compared])
    for network in networks:
        lines += ["%s:" % network, ""]
        lines += table(("what", "precision", "batch", "measured [95 %]"),
                       [(r["what"], r["precision"], r["batch"], measured(r)) for r in rows if r["network"] == network])
        turns = list(torch_table(document, network))
        if turns:
            lines += ["%s, in turn with PyTorch:" % network, ""]
            lines += table(("precision", "batch", "engine", "rate [rounds]", "its time / vkdet's", "notes"), turns)
        else:
            lines += ["%s, in turn with PyTorch: %s" % (network, NOT_MEASURED), ""]
    return "\n".join(lines)


def summarize(folder, notes):
    with open(os.path.join(folder, "networks.txt"), encoding="utf-8") as file:
        networks = file.read().split()
    rows = [r for network in networks for r in rows_of(folder, network)]
    compared = list(compare(rows, devices(folder, networks)))
    document = load(folder, "torch.json") or {}
    text = as_text(compared, rows, networks, document, notes)
    with open(os.path.join(folder, "summary.md"), "w", encoding="utf-8") as out:
        out.write(text)
    parts = {n[: -len(".json")]: load(folder, n) for n in sorted(os.listdir(folder)) if n.endswith(".json") and n != "summary.json"}
    with open(os.path.join(folder, "summary.json"), "w", encoding="utf-8") as out:
        json.dump({"notes": notes, "goals": compared, "rows": rows, "documents": parts}, out, indent=1)
    print(text)


# --- the table in the documentation ----------------------------------------------------------------
def check(path):
    """Lines of what is wrong."""
    with open(path, encoding="utf-8") as file:
        cells = [[c.strip() for c in line.strip().strip("|").split("|")] for line in file if line.startswith("|")]
    written = {c[0]: c for c in cells if len(c) == 5}
    for goal in goals():
        found = written.get(goal["what"])
        if not found:
            yield "no row of goals: " + goal["what"]
            continue
        wanted = [number(goal["goal"]) + " " + goal["unit"], number(goal["stretch"]) + " " + goal["unit"]]
        if [c.replace(",", "") for c in found[1:3]] != wanted:
            yield "%s: %s, not %s" % (goal["what"], found[1:3], wanted)
        figure = re.match(r"[0-9][0-9,.]*", found[3])
        value = float(figure.group().replace(",", "")) if figure else None
        spread = re.search(r"\[([0-9,.]+) to ([0-9,.]+)\]", found[3])
        said = verdict(goal, value, *(float(end.replace(",", "")) for end in spread.groups()) if spread else ())
        if found[4] != said:
            yield "%s: %s is %s, not %s" % (goal["what"], found[3], said, found[4])


def main():
    if len(sys.argv) >= 3 and sys.argv[1] == "summary":
        summarize(sys.argv[2], sys.argv[3:])
        return 0
    if len(sys.argv) == 3 and sys.argv[1] == "check":
        wrong = ["goals: " + line for line in check(sys.argv[2])]
        print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
        return 1 if wrong else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as problem:
        print("goals.py: %s" % problem, file=sys.stderr)
        sys.exit(3)
