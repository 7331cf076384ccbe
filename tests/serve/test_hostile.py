"""test_hostile.py VKDET: clients that are slow, broken or hostile. Whatever they do, they get
a 4xx or a closed connection, nothing is stuck or held afterwards, and others are served."""

import os
import random
import socket
import struct
import sys
import threading
import time

from client import Connection, Server, form, head, run

vkdet = os.path.abspath(sys.argv[1])
source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
folder = os.path.join(source, "models/street-320/samples")
picture = open(os.path.join(folder, "street0003.png"), "rb").read()
options = ["--device", os.environ.get("VKDET_TEST_DEVICE", "cpu"), "--max-body", str(1 << 20), "--client-timeout", "2"]


def one_byte_at_a_time(server):
    connection = Connection(server.port)
    small = b"P5 2 2 255\n1234"
    for byte in head("POST", "/v1/detect", size=len(small)) + small:
        connection.send(bytes([byte]))
    assert connection.answer().code == 200
    text = head("POST", "/v1/detect", {"Transfer-Encoding": "chunked"})
    text += b"".join(b"1\r\n%c\r\n" % byte for byte in small) + b"0\r\n\r\n"
    for byte in text:
        connection.send(bytes([byte]))
    assert connection.answer().code == 200
    connection.close()


def chunked_bodies(server):
    wanted = server.detect(picture).body
    connection = Connection(server.port)
    pieces = [picture[at : at + 777] for at in range(0, len(picture), 777)]
    text = b"".join(b"%x;extension=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    connection.send(head("POST", "/v1/detect", {"Transfer-Encoding": "chunked"}) + text + b"0\r\nTrailer: x\r\n\r\n")
    answer = connection.answer()
    assert (answer.code, answer.body) == (200, wanted)
    connection.close()
    for broken in (b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5\r\nabcdefgh\r\n"):
        connection = Connection(server.port)
        connection.send(head("POST", "/v1/detect", {"Transfer-Encoding": "chunked"}) + broken)
        answer = connection.answer()
        assert answer is None or 400 <= answer.code < 500, (broken, answer.code)
        connection.close()
    # without an end: refused by size
    connection = Connection(server.port)
    try:
        connection.send(head("POST", "/v1/detect", {"Transfer-Encoding": "chunked"}))
        for _ in range(200):
            connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        raise AssertionError("12 MiB were taken by a server with a limit of 1 MiB")
    except (ConnectionResetError, BrokenPipeError):
        pass
    connection.close()


def lengths_that_lie(server):
    connection = Connection(server.port)  # more than comes
    connection.send(head("POST", "/v1/detect", size=500000) + b"only this")
    assert connection.closed()
    connection.close()
    connection = Connection(server.port)  # less than comes: the rest is another request, a broken one
    connection.send(head("POST", "/v1/detect", size=5) + picture[:3000])
    assert connection.answer().code == 400
    answer = connection.answer()
    assert answer is None or answer.code >= 400
    connection.close()
    for value in ("-1", "1e3", "99999999999999999999999", "abc", "5, 6"):
        connection = Connection(server.port)
        connection.send(head("POST", "/v1/detect", {"Content-Length": value}) + b"x" * 10)
        answer = connection.answer()
        assert answer is None or 400 <= answer.code < 500, (value, answer.code)
        connection.close()


def heads_of_two_minds(server):
    """What a proxy may read otherwise than we do is refused, and what follows is no second request."""
    inner = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunks = b"1\r\nx\r\n0\r\n\r\n"
    post = "POST /v1/detect HTTP/1.1\r\nHost: localhost\r\n"
    for text, code, said in (
        (f"{post}Content-Length : {len(inner)}", 400, "blank"),
        (f"{post}Content-Length\t: {len(inner)}", 400, "blank"),
        (f"{post}Content-Length: 4\r\nContent-Length: {len(inner) + 4}", 400, "Content-Length"),
        (f"{post}Content-Length: 4\r\ncontent-length: 4", 400, "Content-Length"),
        (f"{post}Content-Length: 4\r\nTransfer-Encoding: chunked", 400, "exclude"),
        (f"{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400, "Transfer-Encoding"),
        (f"{post}Transfer-Encoding: xchunked", 501, "chunked"),
        (f"{post}Transfer-Encoding: gzip, chunked", 501, "chunked"),
        (f"{post}Transfer-Encoding:", 501, "chunked"),
        (f"{post}X: a\x01b", 400, "control"),
        (f"{post}X: a\rContent-Length: 4", 400, "control"),
        (f"{post}Host: other", 400, "Host"),
        ("GET /v1/info HTTP/1.1\r\nX: y", 400, "Host"),
        ("POST /v1/detect HTTP/1.0\r\nTransfer-Encoding: chunked", 400, "HTTP/1.0"),
    ):
        connection = Connection(server.port, 10)
        connection.send(text.encode() + b"\r\n\r\n" + (chunks if "chunked" in text else b"") + inner)
        answer = connection.answer()
        assert answer.code == code and said in answer.error()["message"], (text, answer.code, answer.body)
        assert answer.headers["connection"] == "close" and connection.closed(), text
        connection.close()
    connection = Connection(server.port)
    connection.send(head("POST", "/v1/detect", {"Transfer-Encoding": "Chunked"}) + chunks)
    assert connection.answer().code == 400  # the picture
    for target in ("http://test/v1/info", "HTTP://test:1/v1/info?", "https://test/v1/info", "http://test", "http://test/"):
        connection.send(head("GET", target))
        assert connection.answer().code == 200, target
    connection.close()


def refusals_of_the_library_are_counted(server):
    """What it cannot read it refuses itself: no client has gone."""
    aborted = server.metric('vkdet_requests_total{outcome="aborted"}')
    for text, code in (
        (b"GET /v1/info HTTP/1.1\r\nHost test\r\n\r\n", 400),
        (head("POST", "/v1/detect", {"Transfer-Encoding": "chunked"}) + b"zz\r\n", 400),
        (head("POST", "/v1/detect", {"Content-Length": "1e3"}), 400),
        (head("POST", "/v1/detect", {"Content-Length": "9" * 30}), 413),
    ):
        route = "/v1/detect" if b"chunked" in text else "none"
        name = f'vkdet_http_requests_total{{route="{route}",code="{code}"}}'
        before = server.metric(name)
        connection = Connection(server.port, 10)
        connection.send(text)
        data = connection.socket.recv(65536)
        assert data.startswith(b"HTTP/1.1 %d" % code), data
        connection.close()
        server.idle()
        assert server.metric(name) == before + 1, text
    assert server.metric('vkdet_requests_total{outcome="aborted"}') == aborted


def too_large_a_body(server):
    for size in ((1 << 20) + 1, 3 << 20):  # read and dropped, so that the client reads its answer
        connection = Connection(server.port)
        connection.send(head("POST", "/v1/detect", size=size) + b"x" * size)
        assert connection.answer().code == 413
        connection.send(head("GET", "/v1/info"))  # and goes on
        assert connection.answer().code == 200
        connection.close()
    connection = Connection(server.port)  # told at once, before it is sent
    connection.send(head("POST", "/v1/detect", {"Expect": "100-continue"}, size=2 << 20))
    assert connection.answer().code == 413
    connection.close()
    connection = Connection(server.port)
    connection.send(head("POST", "/v1/detect", size=1 << 40))
    assert connection.answer().code == 413 and connection.closed()
    connection.close()


def heads_without_end(server):
    for flood in (
        b"X-A: " + b"a" * 200000,
        b"".join(b"X-%d: y\r\n" % i for i in range(20000)),
        b"a" * 200000,
        b"\r\n" * 50000,
    ):
        connection = Connection(server.port)
        try:
            connection.send(b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\n" + flood)
            connection.send(b"\r\n\r\n")
        except (ConnectionResetError, BrokenPipeError):
            pass
        answer = connection.answer()
        assert answer is None or answer.code in (200, 400, 413, 431), answer.code
        connection.close()
    connection = Connection(server.port)
    try:
        connection.send(b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    except (ConnectionResetError, BrokenPipeError):
        pass
    answer = connection.answer()
    assert answer is None or 400 <= answer.code < 500
    connection.close()


def garbage(server):
    generator = random.Random(5)
    for text in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/detect HTTP/1.1\r\n\r\n",
        b"GET /v1/info HTTP/1.1\r\nHost test\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/info?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        *(generator.randbytes(300) + b"\r\n\r\n" for _ in range(30)),
    ):
        connection = Connection(server.port, 10)
        try:
            connection.send(text)
            connection.socket.shutdown(socket.SHUT_WR)
            data = connection.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, OSError):
            data = b""
        assert not data or data.split(b" ")[1][:1] in (b"4", b"5"), data[:100]
        connection.close()


def half_closed(server):
    for _ in range(8):  # asks, and says that it will ask no more: libmicrohttpd may take it for gone
        connection = Connection(server.port)
        connection.send(head("POST", "/v1/detect", size=len(picture)) + picture)
        connection.socket.shutdown(socket.SHUT_WR)
        answer = connection.answer()
        assert answer is None or (answer.code == 200 and connection.closed())
        connection.close()
    connection = Connection(server.port)  # within a body
    connection.send(head("POST", "/v1/detect", size=len(picture)) + picture[:1000])
    connection.socket.shutdown(socket.SHUT_WR)
    answer = connection.answer()
    assert answer is None or 400 <= answer.code < 500
    connection.close()


def slow_clients_are_disconnected(server):
    """None of them may keep its place by a byte now and then: 2 seconds are the limit here."""
    slow = [
        (b"GET /v1/info HTTP/1.1\r\nHost: localhost\r\n", b"X"),
        (head("POST", "/v1/detect", size=100000), b"y"),
        (b"", b""),
    ]
    connections = []
    for begin, drip in slow:
        connection = Connection(server.port, 30)
        connection.send(begin)
        connections.append((connection, drip))
    began = time.monotonic()
    open_ones = list(connections)
    while open_ones and time.monotonic() < began + 20:
        for connection, drip in list(open_ones):
            connection.socket.settimeout(0.1)
            try:
                if drip:
                    connection.send(drip)
                if connection.socket.recv(1000) == b"":
                    open_ones.remove((connection, drip))
            except (ConnectionResetError, BrokenPipeError):
                open_ones.remove((connection, drip))
            except TimeoutError:
                pass
    assert not open_ones, len(open_ones)
    for connection, _ in connections:
        connection.close()
    # one that takes its answer slowly: more than a socket's buffers hold
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    large = b"P6 600 500 255\n" + os.urandom(600 * 500 * 3)
    requests = (head("POST", "/v1/detect?annotate=1", {"Accept": "image/png"}, size=len(large)) + large) * 8
    try:
        connection.sendall(requests)
    except (ConnectionResetError, BrokenPipeError):
        pass
    time.sleep(4)
    server.idle()
    connection.close()


def forms(server):
    generator = random.Random(7)
    body, kind = form([("a", "a.png", picture), ("b", "b.png", b"x" * 100)])
    for _ in range(150):
        broken = bytearray(body)
        for _ in range(generator.randrange(1, 6)):
            at = generator.choice([generator.randrange(200), len(body) - generator.randrange(1, 300)])
            broken[at] = generator.randrange(256)
        answer = server.detect(bytes(broken[: generator.choice([len(body), generator.randrange(len(body))])]), "", {"Content-Type": kind})
        assert answer.code in (200, 400, 413), answer.code
    for name in ("", "\r\n", '"', "a" * 5000, "%", "\\", "\xff"):
        body = b'--b\r\nContent-Disposition: form-data; filename="' + name.encode("latin-1") + b'"\r\n\r\nx\r\n--b--'
        assert server.detect(body, "", {"Content-Type": "multipart/form-data; boundary=b"}).code in (200, 400)


def clients_that_go(server):
    """Killed at random while they send, wait or read: an RST as a dying process leaves it."""
    before = server.metric("vkdet_pictures_total")
    stop = time.monotonic() + 4
    wanted = server.detect(picture).body
    wrong = []

    def killed(seed):
        generator = random.Random(seed)
        while time.monotonic() < stop:
            connection = Connection(server.port)
            text = (head("POST", "/v1/detect", size=len(picture)) + picture) * generator.randrange(1, 4)
            try:
                connection.send(text[: generator.choice([generator.randrange(len(text)), len(text)])])
                time.sleep(generator.random() * 0.03)
            except OSError:
                pass
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    def good():
        while time.monotonic() < stop:
            answer = server.detect(picture)
            if answer.code == 429:
                time.sleep(0.05)
            elif (answer.code, answer.body) != (200, wanted):
                wrong.append((answer.code, answer.body))

    threads = [threading.Thread(target=killed, args=(seed,)) for seed in range(12)]
    threads += [threading.Thread(target=good) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    assert server.metric("vkdet_pictures_total") > before


def too_many_connections(_):
    server = Server(vkdet, *options, "--max-connections", "8")
    idle = [Connection(server.port) for _ in range(40)]
    deadline = time.monotonic() + 30
    answer = None
    while time.monotonic() < deadline and answer is None:  # in its turn: the idle ones are sent away
        try:
            answer = server.ask("GET", "/v1/info")
        except (TimeoutError, ConnectionError):
            pass
    assert answer.code == 200
    for connection in idle:
        connection.close()
    server.idle()
    server.stop()


def memory_is_limited(_):
    server = Server(vkdet, *options, "--max-held", "300000", "--client-timeout", "30")
    held = [Connection(server.port) for _ in range(4)]
    for connection in held:
        connection.send(head("POST", "/v1/detect", size=len(picture)) + picture[:-1])
    codes = []
    for connection in held:
        connection.send(picture[-1:])
        codes.append(connection.answer().code)
        connection.close()
    assert set(codes) == {200, 429}, codes
    assert server.detect(picture).code == 200
    server.idle()
    server.stop()


tests = [
    one_byte_at_a_time,
    chunked_bodies,
    lengths_that_lie,
    heads_of_two_minds,
    refusals_of_the_library_are_counted,
    too_large_a_body,
    heads_without_end,
    garbage,
    half_closed,
    forms,
    clients_that_go,
    slow_clients_are_disconnected,
]


def after_each_nothing_is_stuck():
    server = Server(vkdet, *options)
    wanted = server.detect(picture).body
    for test in tests:
        began = time.monotonic()
        test(server)
        server.idle()
        assert server.detect(picture).body == wanted
        print(f"  ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    server.stop()


def the_dead_are_not_served():
    """Pictures of clients that have gone leave the queue; what runs already is not counted on."""
    server = Server(vkdet, *options, "--max-batch", "1", "--threads", "1")
    count = 96
    dying = [Connection(server.port) for _ in range(count)]
    for connection in dying:
        connection.send(head("POST", "/v1/detect", size=len(picture)) + picture)
    for connection in dying:
        connection.close()
    server.idle()
    computed = server.metric("vkdet_batch_size_sum")
    assert computed < count, computed
    assert server.detect(picture).code == 200
    server.stop()


def own_servers():
    the_dead_are_not_served()
    too_many_connections(None)
    memory_is_limited(None)


run([after_each_nothing_is_stuck, own_servers], [])
