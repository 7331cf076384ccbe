"""What the tests of connections share: raw sockets, a strict reader of answers."""

import json
import re
import signal
import socket
import sys
import time
import traceback

import harness


class Answer:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    def error(self):
        return json.loads(self.body)["error"]


class Connection:
    """A socket, and the answers that come out of it."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def send(self, data):
        self.socket.sendall(data)

    def read_more(self):
        got = self.socket.recv(65536)
        self.kept += got
        return len(got) > 0

    def answer(self, method="GET"):
        """The next answer, None when the connection ends before it."""
        try:
            while b"\r\n\r\n" not in self.kept:
                if not self.read_more():
                    assert not self.kept, f"half an answer: {self.kept!r}"
                    return None
            head, self.kept = self.kept.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            code = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", lines[0]).group(1))
            if code == 100:
                return self.answer(method)
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
            size = 0 if method == "HEAD" or code in (204, 304) else int(headers["content-length"])
            while len(self.kept) < size:
                assert self.read_more(), "the connection ended within a body"
            body, self.kept = self.kept[:size], self.kept[size:]
            return Answer(code, headers, body)
        except (ConnectionResetError, BrokenPipeError):
            return None

    def closed(self):
        """Whether the server ends the connection, without another answer."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


def head(method, path, headers=None, size=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if size is not None:
        lines.append(f"Content-Length: {size}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def form(parts, boundary="xYzZy"):
    """(name, file name or None, bytes)... as a body and its Content-Type."""
    body = b""
    for name, file, data in parts:
        body += f"--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"".encode()
        body += f"; filename=\"{file}\"".encode() if file is not None else b""
        body += b"\r\nContent-Type: application/octet-stream\r\n\r\n" + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class Server(harness.Server):
    """The same server, asked by raw sockets, and ended by stop()."""

    def __init__(self, program, *options, environment=None):
        super().__init__(program, *options, environment=environment)
        self.port = int(self.address.rsplit(":", 1)[1])

    def ask(self, method, path, body=None, headers=None):
        connection = Connection(self.port)
        size = len(body) if body is not None else None
        try:
            connection.send(head(method, path, headers, size) + (body or b""))
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused while the body was on its way: the answer may be there
        answer = connection.answer(method)
        connection.close()
        return answer

    def detect(self, body, query="", headers=None):
        return self.ask("POST", "/v1/detect" + query, body, headers)

    def metric(self, name):
        """The sum of a metric's lines; name may have labels, as they are in the text."""
        text = self.ask("GET", "/metrics").body.decode()
        values = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return sum(float(value) for key, value in values if key == name or key.startswith(name + "{"))

    def idle(self):
        """Nothing is stuck: no request but the one that asks, no picture waiting, no bytes held."""
        deadline = time.monotonic() + 30
        names = ("vkdet_queue_length", "vkdet_body_bytes", "vkdet_pixel_bytes")
        while time.monotonic() < deadline:
            if self.metric("vkdet_http_requests_in_flight") == 1 and not any(map(self.metric, names)):
                return
            time.sleep(0.05)
        raise AssertionError(self.ask("GET", "/metrics").body.decode())

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=120)
        assert code == 0 and "Sanitizer" not in self.said(), f"exit status {code}: {self.said()}"
        self.process.stdout.close()
        self.log.close()
        self.work.cleanup()


def run(tests, arguments):
    """Each test by itself; every failure is told."""
    failed = 0
    for test in tests:
        began = time.monotonic()
        try:
            test(*arguments)
            print(f"ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {test.__name__}: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
