"""What the tests of a live server share: the server itself, requests, skips by name."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = sorted((SOURCE / "models/street-320/samples").glob("*.png"))


def skip(name, reason):
    """Ends the script as skipped."""
    print(f"SKIPPED {name}: {reason}")
    sys.exit(77)


class Server:
    """`vkdet serve` on a port of its own, ended and waited for at the end of a `with`."""

    def __init__(self, program, *options, environment=None):
        self.program = str(program)
        self.work = tempfile.TemporaryDirectory(prefix="vkdet-serve-")
        # the tests say where they run: a model or a cache of the machine's user is no part of them
        self.environment = {k: v for k, v in os.environ.items() if k != "VKDET_MODEL"}
        self.environment["XDG_CACHE_HOME"] = self.work.name
        self.environment.update(environment or {})
        self.log = open(pathlib.Path(self.work.name) / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([self.program, "serve", "--port", "0", *options], stdout=subprocess.PIPE,
                                        stderr=self.log, env=self.environment, text=True)
        line = self.process.stdout.readline().strip()
        if not line.startswith("http://"):
            status = self.process.wait()
            if "libmicrohttpd" in self.said():
                skip(pathlib.Path(sys.argv[0]).stem, "this build has no HTTP library")
            if "carries no model" in self.said():
                skip(pathlib.Path(sys.argv[0]).stem, "this build carries no model")
            raise SystemExit(f"the server does not start: status {status}, {line!r}\n{self.said()}")
        self.url = line.rstrip("/")
        self.address = self.url.removeprefix("http://")

    def said(self):
        """All that it wrote to standard error."""
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        text = self.said()
        self.log.close()
        self.process.stdout.close()
        self.work.cleanup()
        if kind is None and status != 0:
            raise SystemExit(f"the server ended with status {status}\n{text}")
        if kind is not None:
            sys.stderr.write(text[-4000:])

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, bytes) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=600)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def ask_json(self, method, path, body=None, headers=None):
        """(status, document) of one request."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        status, _, answer = self.ask(method, path, body, headers)
        return status, json.loads(answer)

    def detect(self, picture, *options):
        """What the program itself finds, as the object of its line."""
        done = subprocess.run([self.program, "detect", "-q", *options, str(picture)], env=self.environment,
                              check=True, capture_output=True, text=True)
        return json.loads(done.stdout)
