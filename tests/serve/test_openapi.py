"""The OpenAPI document against the server: well-formed, complete (every route of the table is in it and the
other way round), and true (what the server answers has a status, a type and a shape that it names).

    python3 tests/serve/test_openapi.py VKDET"""

import concurrent.futures
import json
import pathlib
import re
import sys
import tempfile

from harness import SAMPLES, SOURCE, Server
from schema import faults, resolve, template

DOCUMENT = json.loads((SOURCE / "host/serve/openapi.json").read_text(encoding="utf-8"))
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
STATIC = {"/", "/openapi.json", "/{}", "/samples/{}"}
# what a healthy server does not answer: memory that ran out, a device that broke, an end that has begun
NOT_PROVOKED = {"500", "503"}


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item, item[method]


def walk(node, where="#"):
    """Every object of the document with its place."""
    if isinstance(node, dict):
        yield where, node
        for name, child in node.items():
            yield from walk(child, f"{where}/{name}")
    elif isinstance(node, list):
        for i, child in enumerate(node):
            yield from walk(child, f"{where}/{i}")


def check_form():
    assert DOCUMENT["openapi"].startswith("3.1."), DOCUMENT["openapi"]
    assert {"title", "version"} <= set(DOCUMENT["info"])
    version = re.search(r'VKDET_VERSION +"(.*)"', (SOURCE / "host/include/vkdet.h").read_text(encoding="utf-8"))
    assert DOCUMENT["info"]["version"] == version[1]
    used = set()
    for where, node in walk(DOCUMENT):
        if "$ref" in node and isinstance(node["$ref"], str):
            resolve(DOCUMENT, node)
            used.add(node["$ref"])
    for kind in ("parameters", "headers", "responses", "schemas"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, f"{kind}/{name} is used nowhere"
    ids = [o["operationId"] for *_, o in operations()]
    assert len(ids) == len(set(ids)), ids
    tags = {t["name"] for t in DOCUMENT["tags"]}
    for path, method, item, operation in operations():
        what = f"{method} {path}"
        assert set(operation["tags"]) <= tags, what
        assert all(re.fullmatch("[1-5][0-9][0-9]", code) for code in operation["responses"]), what
        assert all("description" in resolve(DOCUMENT, r) for r in operation["responses"].values()), what
        given = [resolve(DOCUMENT, p) for p in item.get("parameters", []) + operation.get("parameters", [])]
        named = {p["name"] for p in given if p["in"] == "path"}
        assert named == set(re.findall(r"\{([^}]*)\}", path)), what
        assert len({(p["in"], p["name"]) for p in given}) == len(given), what
        for content in [operation.get("requestBody", {}), *operation["responses"].values()]:
            for kind in resolve(DOCUMENT, content).get("content", {}).values():
                if "example" in kind and "schema" in kind:
                    assert not faults(DOCUMENT, kind["schema"], kind["example"]), (what, kind["example"])


def check_complete():
    text = (SOURCE / "host/serve/routes.c").read_text(encoding="utf-8")
    table = set(re.findall(r'\{"([A-Z]+)", "(/[^"]*)"', text))
    assert table, "host/serve/routes.c: no table of routes"
    written = {(method.upper(), template(path)) for path, method, *_ in operations()}
    static = {(m, p) for m, p in written if p in STATIC}
    assert written - static == table, f"only in one of them: {(written - static) ^ table}"


class Judge:
    """Asks, and holds each answer against the document."""

    def __init__(self):
        self.seen = set()

    def describe(self, method, path):
        """The operation of a path as asked for; a literal path goes before a template."""
        bare = path.split("?")[0]
        found = [(p.count("{"), p) for p in DOCUMENT["paths"]
                 if method in DOCUMENT["paths"][p] and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", p), bare)]
        return min(found)[1]

    def ask(self, server, method, path, wanted, body=None, headers=None):
        template_path = self.describe(method, path)
        responses = DOCUMENT["paths"][template_path][method]["responses"]
        body = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        status, got, answer = server.ask(method.upper(), path, body, headers)
        what = f"{method} {path[:80]}: {status} {answer[:200]!r}"
        assert wanted is None or status == wanted, f"not {wanted}: {what}"
        assert str(status) in responses, f"not documented: {what}"
        described = resolve(DOCUMENT, responses[str(status)])
        self.seen.add((template_path, method, str(status)))
        kind = got.get("Content-Type", "").split(";")[0]
        content = described.get("content", {})
        assert kind in content or "*/*" in content or (not content and not answer), f"type {kind!r}: {what}"
        if kind in ("application/json", "application/x-ndjson") and "schema" in content.get(kind, {}):
            for line in [answer] if kind == "application/json" else answer.splitlines():
                wrong = faults(DOCUMENT, content[kind]["schema"], json.loads(line))
                assert not wrong, f"{wrong[:3]}: {what}"
        optional = {"Inference-Header-Content-Length", "X-Vkdet-Device", "X-Vkdet-Precision"}
        for name in described.get("headers", {}):
            assert name in got or name in optional, f"no {name}: {what}"
        return status, got, answer

    def unseen(self):
        every = {(p, m, code) for p, m, _, o in operations() for code in o["responses"]}
        return {u for u in every - self.seen if u[2] not in NOT_PROVOKED}


def infer_of(files, **more):
    import base64
    data = [base64.b64encode(f).decode() for f in files]
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}], **more}


def good_requests(judge, server, model, picture):
    for path, *_ in operations():
        bare = path.replace("{file}", SAMPLES[0].name if "samples" in path else "samples.json")
        if template(path) in STATIC:
            _, headers, _ = judge.ask(server, "get", bare, 200)
            judge.ask(server, "get", bare, 304, headers={"If-None-Match": headers["ETag"]})
    _, _, served = judge.ask(server, "get", "/openapi.json", 200)
    assert json.loads(served) == DOCUMENT, "another document is served"
    for path in ("/v1/info", "/metrics", "/v2", "/v2/", "/v2/health/live", "/v2/health/ready"):
        judge.ask(server, "get", path, 200)
    judge.ask(server, "post", "/v1/detect", 200, picture)
    judge.ask(server, "post", "/v1/detect?annotate=1", 200, picture)
    judge.ask(server, "post", "/v2/repository/index", 200)
    for base in (f"/v2/models/{model['name']}", f"/v2/models/{model['name']}/versions/{model['version']}"):
        judge.ask(server, "get", base, 200)
        judge.ask(server, "get", base + "/ready", 200)
        judge.ask(server, "post", base + "/infer", 200, infer_of([picture], id="7"))
        judge.ask(server, "post", base + "/infer", 200, infer_of([picture], parameters={"binary_data_output": True}))


def bad_requests(judge, server, model, picture):
    judge.ask(server, "post", "/v1/detect?conf=2", 400, picture)
    judge.ask(server, "post", "/v1/detect?model=none", 404, picture)
    judge.ask(server, "post", "/v1/detect", None, b"no picture")
    judge.ask(server, "post", "/v1/detect", 415, picture, {"Content-Encoding": "gzip"})
    judge.ask(server, "get", "/none", 404)
    judge.ask(server, "get", "/samples/none.png", 404)
    for rest in ("", "/versions/" + model["version"]):
        base = "/v2/models/" + model["name"] + rest
        none = "/v2/models/none" + rest
        judge.ask(server, "get", none, 404)
        judge.ask(server, "get", none + "/ready", 404)
        judge.ask(server, "post", none + "/infer", 404, infer_of([picture]))
        judge.ask(server, "post", base + "/infer", 400, b"{")
        judge.ask(server, "post", base + "/infer", 400, infer_of([b"no picture"]))
        judge.ask(server, "post", base + "/infer", 415, infer_of([picture]), {"Content-Encoding": "gzip"})
    for path, method, *_ in operations():
        bare = re.sub(r"\{[^}]*\}", "x", path)
        if template(path) not in STATIC:
            status, headers, answer = server.ask("DELETE", bare)
            assert status == 405 and method.upper() in headers["Allow"], (path, status, headers["Allow"])
            kind = "InferenceError" if path.startswith("/v2") else "Error"
            wrong = faults(DOCUMENT, DOCUMENT["components"]["schemas"][kind], json.loads(answer))
            assert not wrong, (path, wrong)
        if method == "get":
            assert server.ask("HEAD", "/" if template(path) in STATIC else bare.replace("/x", "/" + model["name"], 1)
                              .replace("/versions/x", "/versions/" + model["version"]))[0] == 200, path


def limited_requests(judge, server, base, picture):
    """Against a server with a small body limit and a queue of one."""
    large = picture + bytes(1 << 20)
    targets = ["/v1/detect"] + [b + "/infer" for b in base]
    for path in targets:
        judge.ask(server, "post", path, 413, large)
    bodies = {path: infer_of([picture]) if "infer" in path else picture for path in targets}
    for path in targets:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for _ in range(50):
                answers = list(pool.map(lambda _, p=path: judge.ask(server, "post", p, None, bodies[p])[0], range(64)))
                assert set(answers) <= {200, 429}, set(answers)
                if 429 in answers:
                    break
            else:
                raise AssertionError(f"{path}: never 429 with a queue of one")
    for path in targets:
        for _ in range(50):
            late = {**infer_of([picture]), "parameters": {"timeout": 1}} if "infer" in path else picture
            query = "" if "infer" in path else "?timeout_ms=1"
            if judge.ask(server, "post", path + query, None, late)[0] == 504:
                break
        else:
            raise AssertionError(f"{path}: never 504")


def guarded_requests(judge, server):
    for path, method, _, operation in operations():
        bare = re.sub(r"\{[^}]*\}", "x", path)
        if "401" in operation["responses"]:
            judge.ask(server, method, bare, 401, b"" if method == "post" else None)
        else:
            assert operation.get("security") == [], path
            assert server.ask(method.upper(), bare)[0] != 401, path


def main():
    program = sys.argv[1]
    check_form()
    check_complete()
    judge = Judge()
    picture = SAMPLES[0].read_bytes()
    with Server(program) as server:
        model = server.ask_json("GET", "/v1/info")[1]["models"][0]
        good_requests(judge, server, model, picture)
        bad_requests(judge, server, model, picture)
    base = [f"/v2/models/{model['name']}", f"/v2/models/{model['name']}/versions/{model['version']}"]
    with Server(program, "--max-body", "1000000", "--max-queue", "1", "--max-batch", "1") as server:
        limited_requests(judge, server, base, picture)
    with tempfile.TemporaryDirectory() as folder:
        token = pathlib.Path(folder) / "token"
        token.write_text("a-token-of-this-test\n", encoding="utf-8")
        token.chmod(0o600)
        with Server(program, "--token-file", str(token)) as server:
            guarded_requests(judge, server)
    unseen = judge.unseen()
    assert not unseen, f"documented, but never answered: {sorted(unseen)}"
    print(f"{len(judge.seen)} answers are as the document says")


main()
