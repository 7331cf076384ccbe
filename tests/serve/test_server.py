"""test_server.py VKDET: what the server answers, seen by a client: good requests, every error,
and the operator's side."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from client import Connection, Server, form, head, run

vkdet = os.path.abspath(sys.argv[1])
source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
folder = os.path.join(source, "models/street-320/samples")
names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
pictures = [open(os.path.join(folder, name), "rb").read() for name in names]
device = os.environ.get("VKDET_TEST_DEVICE", "cpu")
options = ["--device", device]


def detected(*arguments):
    return subprocess.run(
        [vkdet, "detect", "--quiet", *options, *arguments], cwd=folder, stdout=subprocess.PIPE, check=True
    ).stdout


def lines_equal_the_program(server):
    wanted = detected(*names)
    one_by_one = wanted.splitlines(keepends=True)
    for index, picture in enumerate(pictures):
        alone = one_by_one[index].replace(b'"index":%d,' % index, b'"index":0,')
        for query, headers in [("?name=" + names[index], {}), ("", {"X-Filename": names[index]})]:
            answer = server.detect(picture, query, headers)
            assert (answer.code, answer.body) == (200, alone), answer.body
            assert answer.headers["content-type"] == "application/x-ndjson"
            assert answer.headers["x-vkdet-device"] and answer.headers["x-vkdet-model"] == "street-320/1.1"
            assert "compute;dur=" in answer.headers["server-timing"]
    body, kind = form([("image", name, data) for name, data in zip(names, pictures)])
    answer = server.detect(body, "", {"Content-Type": kind})
    assert (answer.code, answer.body) == (200, wanted)
    for query, extra in [
        ("conf=0.3&iou=0.7&max_det=2&nms_mode=tf", ["-c", "0.3", "--iou", "0.7", "--max-det", "2", "--nms-mode", "tf"]),
        ("conf=0", ["-c", "0"]),
        ("labels=zh", ["-l", "zh"]),
    ]:
        answer = server.detect(pictures[0], f"?name={names[0]}&{query}")
        assert answer.body == detected(*extra, names[0]), (query, answer.body)
    assert json.loads(server.detect(pictures[0]).body)["image"] == "-"
    assert json.loads(server.detect(pictures[0], "?name=a%20b%C3%A9+c").body)["image"] == "a b\u00e9 c"


def failed_pictures_do_not_fail_the_others(server):
    broken = b"\x89PNG\r\n\x1a\nbut not really"
    body, kind = form([("a", names[0], pictures[0]), ("b", "x.png", broken), ("c", None, pictures[1]), ("d", "", b"")])
    answer = server.detect(body, "", {"Content-Type": kind})
    rows = [json.loads(line) for line in answer.body.splitlines()]
    assert answer.code == 200 and [row["image"] for row in rows] == [names[0], "x.png", "c", "-"], rows
    assert ["error" in row for row in rows] == [False, True, False, True], rows
    assert rows[1]["error"]["status"] == "image" and rows[1]["error"]["message"].startswith("x.png: ")
    assert rows[0]["detections"] == json.loads(server.detect(pictures[0]).body)["detections"]


def drawn_picture_equals_the_program(server):
    with tempfile.TemporaryDirectory() as out:
        detected("--save-img", "--output", out, names[0])
        wanted = open(os.path.join(out, names[0]), "rb").read()
    answer = server.detect(pictures[0], "?annotate=1")
    assert (answer.code, answer.headers["content-type"]) == (200, "image/png") and answer.body == wanted
    answer = server.detect(pictures[0], "?annotate=1", {"Accept": "image/jpeg"})
    assert answer.headers["content-type"] == "image/jpeg" and answer.body[:3] == b"\xff\xd8\xff"
    again = server.detect(answer.body, "?annotate=1")
    assert again.headers["content-type"] == "image/jpeg"
    assert server.detect(answer.body, "?annotate=1", {"Accept": "image/png"}).headers["content-type"] == "image/png"
    assert server.detect(b"nothing", "?annotate=1").code == 400


def every_error_has_its_code(server):
    body, kind = form([("a", "a.png", pictures[0]), ("b", "b.png", pictures[0])])
    many, many_kind = form([("a", "a", b"x")] * 65)
    bomb = b"P6 50000 50000 255\n" + b"x" * 100
    for query, data, headers, code, status in [
        ("", b"", {}, 400, "argument"),
        ("", b"this is no picture", {}, 400, "image"),
        ("", bomb, {}, 413, "limit"),
        ("", b"II*\0" + b"\0" * 64, {}, 415, "unsupported"),
        ("?conf=2", pictures[0], {}, 400, "argument"),
        ("?conf=nan", pictures[0], {}, 400, "argument"),
        ("?conf=", pictures[0], {}, 400, "argument"),
        ("?iou=0", pictures[0], {}, 400, "argument"),
        ("?max_det=1.5", pictures[0], {}, 400, "argument"),
        ("?nms_mode=best", pictures[0], {}, 400, "argument"),
        ("?labels=tlh", pictures[0], {}, 400, "argument"),
        ("?annotate=yes", pictures[0], {}, 400, "argument"),
        ("?timeout_ms=0", pictures[0], {}, 400, "argument"),
        ("?timeout_ms=999999999", pictures[0], {}, 400, "argument"),
        ("?confidence=0.5", pictures[0], {}, 400, "argument"),
        ("?conf=0.5&conf=0.6", pictures[0], {}, 400, "argument"),
        ("?name=%zz", pictures[0], {}, 400, "argument"),
        ("?name=%00", pictures[0], {}, 400, "argument"),
        ("?" + "&".join(f"a{i}=1" for i in range(40)), pictures[0], {}, 400, "argument"),
        ("?model=none", pictures[0], {}, 404, "model"),
        ("?model=street-320&version=9", pictures[0], {}, 404, "model"),
        ("", pictures[0], {"Content-Encoding": "gzip"}, 415, "unsupported"),
        ("?annotate=1", body, {"Content-Type": kind}, 400, "argument"),
        ("", many, {"Content-Type": many_kind}, 413, "limit"),
        ("", body, {"Content-Type": "multipart/form-data"}, 400, "argument"),
        ("", body, {"Content-Type": "multipart/form-data; boundary=other"}, 400, "argument"),
        ("", body[:-20], {"Content-Type": kind}, 400, "argument"),
        ("", b"--xYzZy--\r\n", {"Content-Type": kind}, 400, "argument"),
    ]:
        answer = server.detect(data, query, headers)
        assert (answer.code, answer.error()["status"]) == (code, status), (query, answer.code, answer.body)
        assert answer.error()["message"] and answer.headers["content-type"] == "application/json"
    for method, path, code in [
        ("GET", "/v1/detect", 405),
        ("DELETE", "/v1/info", 405),
        ("POST", "/", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/info/", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/%2e%2e/x", 404),
        ("OPTIONS", "/v1/detect", 405),
    ]:
        answer = server.ask(method, path, b"" if method == "POST" else None)
        assert answer.code == code and answer.error()["message"], (method, path, answer.code)
        assert code != 405 or answer.headers["allow"]


def a_passed_deadline_is_told(server):
    answer = server.detect(pictures[0], "?timeout_ms=1&name=x")
    # a fast machine may well be in time
    assert answer.code in (200, 504) and (answer.code == 200 or answer.error()["status"] == "timeout")


def info_and_head(server):
    answer = server.ask("GET", "/v1/info")
    info = json.loads(answer.body)
    assert info["name"] == "vkdet" and info["default_model"] == "street-320"
    assert info["max_body_bytes"] == 1 << 20 and info["devices"][0]["id"] == device
    (model,) = info["models"]
    assert model["classes"][0]["labels"]["en"] == "mask" and model["languages"][0] == "en"
    assert model["input"] == {"width": 320, "height": 320, "channels": 3}
    only_head = server.ask("HEAD", "/v1/info")
    assert only_head.code == 200 and int(only_head.headers["content-length"]) == len(answer.body)
    page = server.ask("GET", "/")
    assert page.code == 200 and page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert server.ask("GET", "/", headers={"If-None-Match": page.headers["etag"]}).code == 304
    assert "access-control-allow-origin" not in page.headers


def answers_come_in_order(server):
    """Pipelined requests, fast ones behind slow ones."""
    connection = Connection(server.port)
    text = b""
    for index in range(12):
        picture = pictures[index % len(pictures)] if index % 3 else b"no picture"
        text += head("POST", f"/v1/detect?name=n{index}", size=len(picture)) + picture
        text += head("GET", "/v1/info")
    sender = threading.Thread(target=connection.send, args=(text,))
    sender.start()
    for index in range(12):
        answer = connection.answer()
        if index % 3:
            assert json.loads(answer.body)["image"] == f"n{index}", answer.body
        else:
            assert answer.code == 400
        assert json.loads(connection.answer().body)["name"] == "vkdet"
    sender.join()
    connection.close()


def many_clients_share_batches(server):
    before = server.metric("vkdet_batch_size_count"), server.metric("vkdet_batch_size_sum")
    wanted = [server.detect(picture).body for picture in pictures]
    wrong = []

    def client(number):
        connection = Connection(server.port)
        for index in range(8):
            which = (number + index) % len(pictures)
            connection.send(head("POST", "/v1/detect", size=len(pictures[which])) + pictures[which])
            answer = connection.answer()
            if (answer.code, answer.body) != (200, wanted[which]):
                wrong.append((answer.code, answer.body))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    batches = server.metric("vkdet_batch_size_count") - before[0]
    sent = server.metric("vkdet_batch_size_sum") - before[1]
    assert sent == 16 * 8 + len(pictures) and batches < sent, (batches, sent)
    server.idle()


def metrics_are_prometheus_text(server):
    text = server.ask("GET", "/metrics").body
    assert b'vkdet_requests_total{outcome="client_error"}' in text
    assert server.metric('vkdet_http_requests_total{route="/v1/detect",code="200"}') > 0
    tool = shutil.which("promtool")
    if not tool:
        print("SKIPPED metrics_are_prometheus_text: needs promtool (Debian: prometheus)")
        return
    checked = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr


def on_one_server(test):
    def alone(server):
        test(server)
        server.idle()

    alone.__name__ = test.__name__
    return alone


# --- servers of their own -------------------------------------------------------------------------


def full_queue_is_429():
    server = Server(vkdet, *options, "--max-queue", "2", "--max-batch", "1")
    seen = []

    def client():
        answer = server.detect(pictures[0])
        seen.append(answer.code)
        if answer.code == 429:
            assert int(answer.headers["retry-after"]) >= 1 and answer.error()["status"] == "busy"

    threads = [threading.Thread(target=client) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {200, 429}, seen
    assert server.metric('vkdet_requests_total{outcome="rejected"}') == seen.count(429)
    server.idle()
    body, kind = form([("a", "a", pictures[0])] * 3)
    assert server.detect(body, "", {"Content-Type": kind}).code == 413  # could never be admitted
    server.stop()


def token_is_asked_for():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("0123456789abcdef-token\nsecond line\n")
        file.flush()
        server = Server(vkdet, *options, "--token-file", file.name, "--cors-origin", "https://page.example")
        for value, code in [
            (None, 401),
            ("Bearer 0123456789abcdef-token", 200),
            ("bearer   0123456789abcdef-token", 200),
            ("Bearer 0123456789abcdef-tokem", 401),
            ("Bearer 0123456789abcdef-toke", 401),
            ("Bearer 0123456789abcdef-token1", 401),
            ("Bearer ", 401),
            ("Basic 0123456789abcdef-token", 401),
            ("Bearer " + "a" * 5000, 401),
        ]:
            answer = server.detect(pictures[0], headers={"Authorization": value} if value else {})
            assert answer.code == code, (value, answer.code)
            assert code == 200 or answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert server.ask("GET", "/nowhere").code == 401 and server.ask("GET", "/").code == 200
        answer = server.ask("OPTIONS", "/v1/detect", headers={"Access-Control-Request-Method": "POST"})
        assert answer.code == 204 and "POST" in answer.headers["access-control-allow-methods"]
        arguments = open(f"/proc/{server.process.pid}/cmdline", "rb").read()
        assert b"0123456789abcdef" not in arguments
        server.stop()


def host_is_checked():
    """Against DNS rebinding: a page of elsewhere whose name leads here."""
    def ask(server, host, path="/v1/info", version="1.1", more=""):
        connection = Connection(server.port)
        line = "" if host is None else f"Host: {host}\r\n"
        connection.send(f"GET {path} HTTP/{version}\r\n{line}{more}Connection: close\r\n\r\n".encode())
        answer = connection.answer()
        connection.close()
        return answer

    server = Server(vkdet, *options)
    port = server.port
    for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST."):
        assert ask(server, host).code == 200, host
    assert ask(server, None, version="1.0").code == 200
    for host in ("rebound.example", f"rebound.example:{port}", "192.168.0.7", "", "localhost.example"):
        for path in ("/v1/info", "/", "/v2/health/live", "/nowhere"):
            assert ask(server, host, path).code == 421, (host, path)
    answer = ask(server, "rebound.example")
    assert answer.error() == {"status": "host", "message": "the request's Host is none of this server's names; "
                                                           "--allow-host NAME adds one"}
    assert "--allow-host" in json.loads(ask(server, "rebound.example", "/v2").body)["error"]
    # an upload goes nowhere, and is not waited for when the client asks first
    connection = Connection(port)
    connection.send(b"POST /v1/detect HTTP/1.1\r\nHost: rebound.example\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    assert connection.answer().code == 421
    connection.close()
    assert server.metric('vkdet_http_requests_total{route="none",code="421"}') > 0
    server.stop()
    server = Server(vkdet, *options, "--allow-host", "gpu.example,10.0.0.1")
    for host, code in (("gpu.example:80", 200), ("GPU.example.", 200), ("10.0.0.1", 200), ("localhost", 200),
                       ("a.gpu.example", 421), ("10.0.0.2", 421)):
        assert ask(server, host).code == code, host
    server.stop()
    server = Server(vkdet, *options, "--allow-host", "*")
    assert ask(server, "rebound.example").code == 200
    server.stop()
    # beyond loopback the names are not known, unless they are given
    server = Server(vkdet, *options, "--host", "0.0.0.0", "--allow-anyone")
    assert ask(server, "rebound.example").code == 200
    server.stop()
    server = Server(vkdet, *options, "--host", "0.0.0.0", "--allow-anyone", "--allow-host", "localhost")
    assert ask(server, "rebound.example").code == 421 and ask(server, "127.0.0.1").code == 200
    server.stop()


def refused_to_start(wanted, said, *arguments):
    done = subprocess.run([vkdet, "serve", *arguments], capture_output=True, timeout=60, check=False)
    assert done.returncode == wanted and said in done.stderr.decode(errors="replace"), (arguments, done)


def usage_is_checked():
    refused_to_start(5, "--allow-anyone", "--host", "0.0.0.0", "--port", "0")
    refused_to_start(5, "--host no.such.host.invalid", "--host", "no.such.host.invalid")
    refused_to_start(2, "--port takes", "--port", "70000")
    refused_to_start(2, "exclude each other", "--model", "builtin", "--model-repository", "/")
    refused_to_start(2, "--device takes", "--device", ",")
    refused_to_start(2, "--device takes", "--device", f"{device},,{device}")
    refused_to_start(2, "--device takes", "--device", f"{device},")
    refused_to_start(2, "is named twice", "--device", f"{device},{device}", "--port", "0")
    for origin in ("", "http://x/", "a\r\nX: 1", "x", "http://", "HTTP://X", "http://a b", "null"):
        refused_to_start(2, "--cors-origin takes", "--cors-origin", origin, "--port", "0")
    for hosts in ("", "a,", "a b", "a:80", "http://a", "[::1]"):
        refused_to_start(2, "--allow-host takes", "--allow-host", hosts, "--port", "0")
    refused_to_start(3, "expected auto", "--device", "nosuch", "--port", "0")
    refused_to_start(5, "--access-log /nowhere/log", "--access-log", "/nowhere/log", "--port", "0")
    refused_to_start(4, "/nowhere", "--model-repository", "/nowhere", "--port", "0")
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("short\n")
        file.flush()
        refused_to_start(2, "16 to 1023", "--token-file", file.name)
    refused_to_start(2, "No such file", "--token-file", "/nowhere/token")
    listener = socket.create_server(("127.0.0.1", 0))
    refused_to_start(5, "in use", "--port", str(listener.getsockname()[1]))
    listener.close()
    refused_to_start(5, "--allow-anyone", "--host", "::ffff:128.0.0.1", "--port", "0")
    if os.path.exists("/proc/net/if_inet6"):
        Server(vkdet, *options, "--host", "::ffff:127.0.0.1").stop()
    else:
        print("SKIPPED serve_mapped_loopback: this machine has no IPv6")
    server = Server(vkdet, *options, "--host", "localhost")
    server.stop(signal.SIGINT)


def repository_is_served():
    with tempfile.TemporaryDirectory() as root:
        container = os.path.join(root, "street.vkdet")
        street = os.path.join(source, "models/street-320")
        subprocess.run(
            [vkdet, "convert", "-q", street + "/model.json", "--card", street + "/card.json", "-o", container], check=True
        )
        for version in ("9", "10"):
            os.makedirs(os.path.join(root, "faces", version))
            shutil.copy(container, os.path.join(root, "faces", version, "model.vkdet"))
        for stray in ("README", "faces/config.pbtxt", "faces/10/labels.txt"):
            open(os.path.join(root, stray), "w").close()
        server = Server(vkdet, *options, "--model-repository", root)
        info = json.loads(server.ask("GET", "/v1/info").body)
        assert info["default_model"] == "faces"
        assert [(m["name"], m["version"]) for m in info["models"]] == [("faces", "9"), ("faces", "10"), ("street", "1.1")]
        for query, model in [("", "faces/10"), ("?version=9", "faces/9"), ("?model=street", "street/1.1")]:
            answer = server.detect(pictures[0], query)
            assert (answer.code, answer.headers["x-vkdet-model"]) == (200, model)
        assert server.detect(pictures[0], "?model=street&version=9").code == 404
        server.stop()
        os.makedirs(os.path.join(root, "empty"))
        refused_to_start(4, "there is no VERSION/model.vkdet", "--model-repository", root, "--port", "0")
        os.rmdir(os.path.join(root, "empty"))
        os.makedirs(os.path.join(root, "faces", "09"))
        shutil.copy(container, os.path.join(root, "faces", "09", "model.vkdet"))
        refused_to_start(4, "the same version", "--model-repository", root, "--port", "0")
        shutil.rmtree(os.path.join(root, "faces", "09"))
        for name in (b"\xff.vkdet", b"faces/\xff/model.vkdet"):
            odd = os.path.join(root.encode(), name)
            os.makedirs(os.path.dirname(odd), exist_ok=True)
            shutil.copy(container, odd)
            refused_to_start(4, "not UTF-8", "--model-repository", root, "--port", "0")
            os.remove(odd)
        os.rmdir(os.path.dirname(odd))
        with open(os.path.join(root, "bad.vkdet"), "w") as file:
            file.write("no container")
        refused_to_start(4, "bad.vkdet", "--model-repository", root, "--port", "0")


def devices_side_by_side():
    other = "vulkan:0" if device == "cpu" else "cpu"
    known = subprocess.run([vkdet, "devices", "-q"], capture_output=True, timeout=60, check=False).stdout.decode()
    if other not in known:
        print(f"SKIPPED serve_devices_side_by_side: there is no {other} beside {device}")
        return
    server = Server(vkdet, "--device", f"{device},{other}", "--max-batch", "1")
    assert len(json.loads(server.ask("GET", "/v1/info").body)["devices"]) == 2
    threads = [threading.Thread(target=server.detect, args=(pictures[0],)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.metric("vkdet_batch_size_sum") == 16
    server.stop()


def log_is_json_lines():
    with tempfile.TemporaryDirectory() as root:
        log = os.path.join(root, "log")
        server = Server(vkdet, *options, "--access-log", log)
        server.detect(pictures[0], "?name=secret", {"Authorization": "Bearer secret", "User-Agent": 'a "b"'})
        server.ask("GET", "/nowhere")
        server.idle()
        os.rename(log, log + ".1")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while not os.path.exists(log) and time.monotonic() < deadline:
            time.sleep(0.02)
        server.ask("GET", "/v1/info")
        server.stop()
        lines = [json.loads(line) for name in (log + ".1", log) for line in open(name)]
        seen = {(line["method"], line["path"]): line for line in lines}  # in the order of their ends, any
        assert {(method, path, line["code"]) for (method, path), line in seen.items()} == {
            ("POST", "/v1/detect", 200),
            ("GET", "/nowhere", 404),
            ("GET", "/v1/info", 200),
            ("GET", "/metrics", 200),
        }
        line = seen["POST", "/v1/detect"]
        assert line["bytes_in"] == len(pictures[0]) and line["pictures"] == 1
        assert line["sent"] and line["agent"] == 'a "b"' and line["model"] == "street-320"
        assert open(log).read() and "secret" not in open(log).read() + open(log + ".1").read()


def stalled_reader_of_the_log_stalls_nobody():
    """More lines than a pipe and the buffers hold, and nobody who reads them: all are answered, the
    lost ones are counted, the end comes."""
    with tempfile.TemporaryDirectory() as root:
        fifo = os.path.join(root, "log")
        os.mkfifo(fifo)
        refused_to_start(5, "--access-log " + fifo, "--access-log", fifo, "--port", "0")  # nobody opens it
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        server = Server(vkdet, *options, "--access-log", fifo)
        connection = Connection(server.port)
        asked = 0
        while server.metric("vkdet_access_log_lost_total") == 0:
            for _ in range(20):
                connection.send(head("GET", "/nowhere/" + "x" * 30000))
                assert connection.answer().code == 404
                asked += 1
            assert asked < 2000
        connection.close()
        before = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0, time.monotonic() - before
        assert "lines were lost" in server.said()
        assert os.read(reader, 8).startswith(b'{"time"')
        os.close(reader)
        server.stop()
    # one that comes back finds whole lines, as many as were not lost
    server = Server(vkdet, *options, "--access-log", "-")
    for _ in range(20):
        assert server.ask("GET", "/nowhere/" + "x" * 30000).code == 404
    server.process.send_signal(signal.SIGTERM)
    lines = [json.loads(line) for line in server.process.stdout]
    assert len(lines) == 20 and server.process.wait(timeout=60) == 0


def full_disk_is_counted():
    if not os.path.exists("/dev/full"):
        print("SKIPPED serve_full_disk: there is no /dev/full")
        return
    server = Server(vkdet, *options, "--access-log", "/dev/full")
    deadline = time.monotonic() + 30
    while server.metric("vkdet_access_log_lost_total") == 0:
        assert time.monotonic() < deadline
    server.stop()


def service_manager_is_told():
    with tempfile.TemporaryDirectory() as root:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(os.path.join(root, "notify"))
        manager.settimeout(60)
        server = Server(vkdet, *options, environment={"NOTIFY_SOCKET": os.path.join(root, "notify")})
        assert manager.recv(100) == b"READY=1"
        server.stop()
        assert manager.recv(100) == b"STOPPING=1"
        manager.close()


def drain_answers_what_has_begun():
    server = Server(vkdet, *options, "--max-batch", "1")
    idle, half = Connection(server.port), Connection(server.port)
    half.send(head("POST", "/v1/detect", size=len(pictures[0])) + pictures[0][:1000])
    working = [Connection(server.port) for _ in range(8)]
    for connection in working:
        connection.send(head("POST", "/v1/detect", size=len(pictures[0])) + pictures[0])
    deadline = time.monotonic() + 30
    while server.metric("vkdet_http_requests_in_flight") < 8 and server.metric("vkdet_pictures_total") < 8:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    for connection in working:
        assert connection.answer().code == 200
    assert idle.closed()
    half.send(pictures[0][1000:])
    answer = half.answer()
    assert answer.code == 200 and answer.headers["connection"] == "close" and half.closed()
    assert server.process.wait(timeout=60) == 0, server.said()
    try:
        Connection(server.port)
        raise AssertionError("still accepts")
    except ConnectionRefusedError:
        pass


def second_signal_ends_at_once():
    server = Server(vkdet, *options)
    half = Connection(server.port)
    half.send(head("POST", "/v1/detect", size=1000) + b"x")
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == -signal.SIGTERM


shared = [
    lines_equal_the_program,
    failed_pictures_do_not_fail_the_others,
    drawn_picture_equals_the_program,
    every_error_has_its_code,
    a_passed_deadline_is_told,
    info_and_head,
    answers_come_in_order,
    many_clients_share_batches,
    metrics_are_prometheus_text,
]


def one_server():
    server = Server(vkdet, *options, "--max-body", str(1 << 20))
    for test in map(on_one_server, shared):
        began = time.monotonic()
        test(server)
        print(f"  ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    server.stop()


run(
    [
        one_server,
        full_queue_is_429,
        token_is_asked_for,
        host_is_checked,
        usage_is_checked,
        repository_is_served,
        devices_side_by_side,
        log_is_json_lines,
        stalled_reader_of_the_log_stalls_nobody,
        full_disk_is_counted,
        service_manager_is_told,
        drain_answers_what_has_begun,
        second_signal_ends_at_once,
    ],
    [],
)
