"""Inference over HTTP that means ill, and inference that is large: every bad request gets its 400 and a reason, the
server goes on, its memory does not grow; a request of many pictures is split over batches and stays in order.

    python3 tests/serve/test_oip_live.py VKDET"""

import concurrent.futures
import json
import os
import pathlib
import socket
import struct
import sys

from harness import SAMPLES, Server

HEADER = "Inference-Header-Content-Length"


def tensor(datatype, shape, **more):
    return {"inputs": [{"name": "image", "datatype": datatype, "shape": shape, **more}]}


def binary(document, tail, size=None):
    """(body, headers) of a request whose data follows its JSON."""
    document["inputs"][0]["parameters"] = {"binary_data_size": len(tail) if size is None else size}
    text = json.dumps(document).encode()
    return text + tail, {HEADER: str(len(text))}


def with_header(value, body=b"{}"):
    return body, {HEADER: value}


def bad_requests(w, h, c):
    """(what, (body, headers), a part of the reason)"""
    picture = SAMPLES[0].read_bytes()
    one = tensor("BYTES", [1])
    floats = struct.pack("<f", float("nan")) * (w * h * c)
    yield "nothing", (b"", {}), "the JSON of 0 bytes"
    yield "no JSON", (picture, {}), "JSON"
    yield "an empty picture", with_header("0", b""), "the body is empty"
    yield "a header that is no number", with_header("12x"), "is not a number of bytes"
    yield "a header that is negative", with_header("-1"), "is not a number of bytes"
    yield "a header beyond the body", with_header("3"), "but the body has 2 bytes"
    yield "a header beyond all numbers", with_header("9" * 30), "is not a number of bytes"
    yield "a header inside the JSON", with_header("5", b'{"inputs":[]}'), "at byte"
    yield "deep JSON", (b'{"inputs":' + b"[" * 1000000, {}), "nested deeper than 32"
    yield "many values", (b'{"inputs":[' + b"0," * 2000001 + b"0]}", {}), "more than 2000000 values"
    yield "a member twice", (b'{"id":"a","id":"b"}', {}), "duplicate object key"
    yield "NaN as JSON", (b'{"parameters":{"conf":NaN}}', {}), "at byte"
    yield "no pictures", (tensor("BYTES", [0], data=[]), {}), "shape[0]: 0 is not from 1"
    yield "a billion pictures", (tensor("BYTES", [10 ** 9], data=["YQ"]), {}), "1000000000 is not from 1"
    yield "a size beyond 64 bits", (tensor("UINT8", [1, 2 ** 63, 2, 3], data=[1]), {}), "too big integer"
    yield "a product beyond 64 bits", (tensor("UINT8", [2, 65535, 65535, 3], data=[1]), {}), "at most"
    yield "a product that wraps", (tensor("UINT8", [1, 2 ** 32 + 1, 1, 3], data=[1, 2, 3]), {}), "is not from 1 to 65535"
    yield "shape without data", binary(tensor("UINT8", [1, 4096, 4096, 3]), b"abc"), "asks for 50331648 bytes"
    yield "data without shape", binary(tensor("UINT8", [1, 1, 1, 3]), bytes(1 << 20)), "asks for 3 bytes"
    yield "a size that lies", binary(one, picture, 5), "binary_data_size: 5, but"
    yield "a size below zero", binary(one, picture, -1), "is not a number of bytes"
    yield "an element that lies", binary(one, struct.pack("<I", 0xffffffff) + b"x"), "4294967295 bytes, but 1 are left"
    yield "an element too many", binary(one, struct.pack("<I", 1) + b"xy"), "1 bytes follow the last element"
    yield "an element too few", binary(tensor("BYTES", [2]), struct.pack("<I", 1) + b"x"), "before element 1 of 2"
    yield "an empty element", binary(one, struct.pack("<I", 0)), "inputs[0]: element 0"
    yield "NaN in a tensor", binary(tensor("FP32", [1, h, w, c]), floats), "element 0 is not a finite number"
    yield "another network's tensor", binary(tensor("FP32", [1, h, w + 1, c]), bytes(4)), "shape[2]"
    yield "a datatype of no use", (tensor("INT64", [1], data=[1]), {}), '"INT64" is not BYTES, UINT8 or FP32'
    yield "text that is no base64", (tensor("BYTES", [1], data=["\u00fc"]), {}), "is no base64"
    yield "a picture that is none", (tensor("BYTES", [1], data=["YWJj"]), {}), "inputs[0]: element 0"
    yield "a picture cut short", binary(one, struct.pack("<I", 40) + picture[:40]), "inputs[0]: element 0"
    yield "shared memory", (tensor("BYTES", [1], parameters={"shared_memory_region": "a"}), {}), "shared_memory_region"
    yield "a long timeout", ({"parameters": {"timeout": 3600000000}, **tensor("BYTES", [1], data=["YQ"])}, {}), "timeout"


def resident(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def refuse_all(server, path, size):
    for what, (body, headers), reason in bad_requests(*size):
        status, answer = server.ask_json("POST", path, body, headers)
        assert status == 400 and set(answer) == {"error"} and reason in answer["error"], (what, status, answer)


def leave_early(server, path, times):
    """Clients that hang up in the middle of a body, and right behind it."""
    body, headers = binary(tensor("BYTES", [1]), struct.pack("<I", 3) + b"abc")
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{HEADER}: {headers[HEADER]}\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = server.address.rsplit(":", 1)
    for i in range(times):
        with socket.create_connection((host, int(port))) as link:
            link.sendall(head.encode() + body[:len(body) - i % 3 * 5])


def check_many(server, path, wanted):
    """Forty pictures at once, more than a batch takes, from several clients."""
    files = [p.read_bytes() for p in SAMPLES]
    order = [i % len(files) for i in range(40)]
    tail = b"".join(struct.pack("<I", len(files[i])) + files[i] for i in order)
    body, headers = binary(tensor("BYTES", [len(order)]), tail)

    def ask(_):
        return server.ask_json("POST", path, body, headers)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for status, answer in pool.map(ask, range(4)):
            assert status == 200, answer
            outputs = {o["name"]: o for o in answer["outputs"]}
            room = outputs["detection_scores"]["shape"][1]
            for at, i in enumerate(order):
                n = outputs["num_detections"]["data"][at]
                assert n == len(wanted[i]["detections"]), (at, n)
                scores = outputs["detection_scores"]["data"][at * room:at * room + n]
                assert scores == [d["score"] for d in wanted[i]["detections"]], at


def main():
    # of what was freed, a sanitizer keeps a quarter of a gigabyte otherwise
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    # short: of clients that leave early some are only noticed by it; a deadline is no matter of this test, and a
    # sanitizer makes a picture take long
    with Server(sys.argv[1], "--client-timeout", "2", "--timeout-ms", "600000") as server:
        model = server.ask_json("GET", "/v1/info")[1]["models"][0]
        size = (model["input"]["width"], model["input"]["height"], model["input"]["channels"])
        path = f"/v2/models/{model['name']}/infer"
        check_many(server, path, [server.detect(p) for p in SAMPLES])
        for _ in range(2):
            refuse_all(server, path, size)
        before = resident(server)
        for _ in range(4):
            refuse_all(server, path, size)
            leave_early(server, path, 30)
        grown = resident(server) - before
        # one body that was not given back would be 4 MB a round
        assert grown < 32 * 1024, f"{grown} KiB more"
        check_many(server, path, [server.detect(p) for p in SAMPLES])
    print("every bad request was refused, and the server went on")


main()
