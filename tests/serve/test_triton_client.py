"""The official client of the Open Inference Protocol against a live server: health, metadata, inference
with pictures, pixels and tensors, in binary form and as JSON. Boxes must equal those of `vkdet detect`.

    python3 tests/serve/test_triton_client.py VKDET

Needs tritonclient[http] from PyPI."""

import base64
import sys

from harness import SAMPLES, Server, skip

try:
    import numpy as np
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException
except ImportError as e:
    skip("serve_triton_client", f"{e.name} is not there: pip install 'tritonclient[http]'")

OUTPUTS = ("num_detections", "detection_boxes", "detection_scores", "detection_classes")


def check(found, wanted, at, what):
    """One picture of an answer against the program's line."""
    number, boxes, scores, classes = (found.as_numpy(name) for name in OUTPUTS)
    n = len(wanted["detections"])
    assert number.dtype == np.int32 and classes.dtype == np.int32, what
    assert boxes.dtype == np.float32 and scores.dtype == np.float32, what
    assert number.shape == (len(number), 1) and boxes.shape == (*scores.shape, 4), what
    assert scores.shape == classes.shape and scores.shape[0] == len(number), what
    assert number[at][0] == n, (what, number[at], n)
    for i, d in enumerate(wanted["detections"]):
        assert classes[at][i] == d["class_id"], (what, i)
        assert scores[at][i] == np.float32(d["score"]), (what, i, scores[at][i], d)
        assert (boxes[at][i] == np.array(d["box"], np.float32)).all(), (what, i, boxes[at][i], d)
    assert not scores[at][n:].any() and not boxes[at][n:].any() and not classes[at][n:].any(), what


def ask(client, model, array, datatype, binary_in, binary_out, **more):
    tensor = triton.InferInput("image", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary_in)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in OUTPUTS]
    return client.infer(model, [tensor], outputs=None if binary_out is None else outputs, **more)


def read_png(path):
    """RGB pixels of a picture whose PNG is plain (8 bits, no interlace), so that nothing else is needed."""
    import zlib
    data = path.read_bytes()
    at, packed, width, height, channels = 8, b"", 0, 0, 0
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
            assert body[8] == 8 and body[9] in (2, 6) and body[12] == 0, path
            channels = 3 if body[9] == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    raw, row = zlib.decompress(packed), width * channels
    out = np.zeros((height, row), np.uint8)
    above = np.zeros(row, np.int32)
    for y in range(height):
        kind = raw[y * (row + 1)]
        line = np.frombuffer(raw, np.uint8, row, y * (row + 1) + 1).astype(np.int32)
        for x in range(row if kind else 0):
            left = line[x - channels] if x >= channels else 0
            corner = above[x - channels] if x >= channels else 0
            guess = left + above[x] - corner
            paeth = min((left, above[x], corner), key=lambda v, g=guess: abs(g - v))
            line[x] = (line[x] + (0, left, above[x], (left + above[x]) // 2, paeth)[kind]) & 255
        out[y] = above = line
    return out.reshape(height, width, channels)[:, :, :3].copy()


def main():
    with Server(sys.argv[1]) as server:
        client = triton.InferenceServerClient(server.address)
        assert client.is_server_live() and client.is_server_ready()
        about = client.get_server_metadata()
        assert about["name"] == "vkdet" and "binary_tensor_data" in about["extensions"], about
        index = client.get_model_repository_index()
        model, version = index[0]["name"], index[0]["version"]
        assert client.is_model_ready(model) and client.is_model_ready(model, version)
        assert not client.is_model_ready("no such model")
        metadata = client.get_model_metadata(model, version)
        assert metadata["name"] == model and version in metadata["versions"], metadata
        assert [i["name"] for i in metadata["inputs"]] == ["image"], metadata
        assert tuple(o["name"] for o in metadata["outputs"]) == OUTPUTS, metadata
        try:
            client.get_model_metadata("no such model")
            raise AssertionError("metadata of no model")
        except InferenceServerException as e:
            assert e.status() == "404" and "no such model" in e.message(), e

        wanted = [server.detect(path) for path in SAMPLES]
        assert sum(len(w["detections"]) for w in wanted) > 0
        files = np.array([path.read_bytes() for path in SAMPLES], dtype=object)
        texts = np.array([base64.b64encode(f).decode() for f in files], dtype=object)
        pixels = np.stack([read_png(path) for path in SAMPLES[:2]])
        for binary_out in (None, True, False):
            for array, datatype, binary_in in ((files, "BYTES", True), (files.reshape(-1, 1), "BYTES", True),
                                               (texts, "BYTES", False), (pixels, "UINT8", True),
                                               (pixels[:1], "UINT8", False)):
                found = ask(client, model, array, datatype, binary_in, binary_out, request_id="a/\u00e9")
                assert found.get_response()["id"] == "a/\u00e9"
                for i in range(len(array)):
                    check(found, wanted[i], i, (datatype, binary_in, binary_out))

        # thresholds, of the request and of the program
        found = ask(client, model, files[:1], "BYTES", True, False, model_version=version, timeout=20000000,
                    parameters={"conf": 0.1, "iou": 0.9, "max_det": 7, "nms_mode": "tf"})
        check(found, server.detect(SAMPLES[0], "--conf", "0.1", "--iou", "0.9", "--max-det", "7", "--nms-mode", "tf"),
              0, "thresholds")
        assert found.as_numpy("detection_scores").shape == (1, 7)

        # the network's own input: the same tensor, in both forms and beside others
        shape = metadata["inputs"][0]["parameters"]["alternatives"][1]["shape"][1:]
        tensors = np.random.default_rng(5).uniform(-1, 1, (2, *shape)).astype(np.float32)
        whole = ask(client, model, tensors, "FP32", True, True, parameters={"conf": 0.01})
        alone = ask(client, model, tensors[1:], "FP32", False, False, parameters={"conf": 0.01})
        for name in OUTPUTS:
            assert (whole.as_numpy(name)[1] == alone.as_numpy(name)[0]).all(), name

        # one output; many requests at once
        tensor = triton.InferInput("image", [1], "BYTES")
        tensor.set_data_from_numpy(files[:1])
        one = client.infer(model, [tensor], outputs=[triton.InferRequestedOutput("num_detections")])
        assert one.as_numpy("num_detections").tolist() == [[len(wanted[0]["detections"])]]
        assert one.as_numpy("detection_boxes") is None
        crowd = triton.InferenceServerClient(server.address, concurrency=16)
        waiting = [crowd.async_infer(model, [tensor]) for _ in range(64)]
        for request in waiting:
            check(request.get_result(), wanted[0], 0, "at once")

        # what is wrong is said
        broken = np.array([b"no picture"], dtype=object)
        for array, datatype, reason in ((broken, "BYTES", "inputs[0]: element 0"),
                                        (np.zeros((1, 2, 2, 3), np.float32), "FP32", "inputs[0].shape[1]"),
                                        (np.zeros((1, 2, 2, 4), np.uint8), "UINT8", "inputs[0].shape[3]"),
                                        (np.zeros((1, 2), np.int64), "INT64", "inputs[0].datatype")):
            try:
                ask(client, model, array, datatype, True, True)
                raise AssertionError(f"{datatype} was taken")
            except InferenceServerException as e:
                assert e.status() == "400" and reason in e.message(), e
    print("the official client agrees with vkdet detect")


main()
