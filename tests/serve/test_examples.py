"""docs/serving.md against a live server. Its examples, as they stand there, must print what `vkdet detect` finds; one
whose tool is missing is skipped by name. Its options and metrics are those that there are.

    python3 tests/serve/test_examples.py VKDET

A marker before each says what it needs and does: <!-- example: NAME; TOOL; prints the line|the line
twice|scores, or makes FILE[; conf THRESHOLD] -->"""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from harness import SAMPLES, SOURCE, Server

MARKER = re.compile(r"<!-- example: ([^;]+); ([^;]+); ([^;]+?)(?:; conf ([0-9.]+))? -->\n```(\w+)\n(.*?)```\n", re.S)
ENDINGS = {"sh": "sh", "python": "py", "js": "mjs", "c": "c"}


def missing(tool, code):
    """The tool that is not there, or None."""
    wanted = [tool] if tool not in ("sh", "tritonclient") else []
    wanted += ["curl"] if tool == "sh" and "curl" in code else []
    for name in wanted:
        if name != "python3" and not shutil.which(name):
            return name
    if tool == "tritonclient" and not importlib.util.find_spec("tritonclient"):
        return "tritonclient[http]"
    return None


def commands(tool, path):
    """How such a file is run."""
    if tool == "cc":
        return [["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", "ask", path.name], ["./ask", "street.png"]]
    return [[{"sh": "sh", "node": "node"}.get(tool, sys.executable), *(["-eu"] if tool == "sh" else []), path.name]]


def numbers(text):
    return {float(n) for n in re.findall(r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?", text)}


def check(does, text, wanted, folder):
    """Whether it did what the marker says."""
    if does.startswith("makes "):
        made = (folder / does.removeprefix("makes ")).read_bytes()
        assert made.startswith(b"\x89PNG") and made != (folder / "street.png").read_bytes(), does
    elif does == "prints scores":
        scores = [d["score"] for d in wanted]
        lacking = [s for s in scores if s not in numbers(text)]
        assert scores and not lacking, (lacking, text[:500])
    else:
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == (2 if does.endswith("twice") else 1), text[:500]
        assert all(line["detections"] == wanted for line in lines), text[:500]


def check_names(server, text):
    """Options are the program's, metrics the server's, and none of the latter is left out."""
    helped = subprocess.run([server.program, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    of_others = {"--scenario", "--now", "--rm", "--device", "--data-binary", "--group-add", "--prefix"}
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", MARKER.sub("", text))) - of_others
    unknown = {o for o in options if not re.search(rf"{o}\b(?!-)", helped)}
    assert not unknown, f"vkdet serve has no {sorted(unknown)}"
    _, _, metrics = server.ask("GET", "/metrics")
    there = set(re.findall(r"^# TYPE (\w+) ", metrics.decode(), re.M))
    told = set(re.findall(r"`((?:vkdet|process)_\w+)", text))
    assert there == told, f"only in one of them: {sorted(there ^ told)}"


def main():
    text = (SOURCE / "docs/serving.md").read_text(encoding="utf-8")
    examples = MARKER.findall(text)
    assert len(examples) == text.count("<!-- example") and len(examples) > 5, "a marker is not understood"
    ran = 0
    with Server(sys.argv[1]) as server, tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        shutil.copy(SAMPLES[0], folder / "street.png")
        found = server.detect(SAMPLES[0])["detections"]
        check_names(server, text)
        environment = {**os.environ, "VKDET_URL": server.url, "no_proxy": "*"}
        for name, tool, does, conf, language, code in examples:
            lacks = missing(tool, code)
            if lacks:
                print(f"SKIPPED example {name}: needs {lacks}")
                continue
            path = folder / f"{name}.{ENDINGS[language]}"
            path.write_text(code, encoding="utf-8")
            for command in commands(tool, path):
                done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{name}: {command}: status {done.returncode}\n{done.stderr}"
            check(does, done.stdout, [d for d in found if d["score"] > float(conf or 0)], folder)
            ran += 1
    print(f"{ran} of {len(examples)} examples do what they say")


main()
