"""A local web server that misbehaves as told: one function per request, in turn; the last one answers all others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Request"], None]
ETAG = '"first"'


class Request(BaseHTTPRequestHandler):
    """What an answer gets: the request, and `send` to answer it."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        self.server.answers[min(len(self.server.asked), len(self.server.answers)) - 1](self)

    def send(self, status: int, body: bytes = b"", **headers: object) -> None:
        """Answer with these headers ("_" for "-") and a true Content-Length unless one is given; "" leaves it out."""
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value != "":
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


class Server(ThreadingHTTPServer):
    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answers = answers
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.bin"


@contextmanager
def serving(*answers: Answer) -> Iterator[Server]:
    with Server(list(answers)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def whole(content: bytes, etag: str = ETAG) -> Answer:
    """A good server: the rest of the file where it is asked for and is still the same, else all of it."""

    def answer(request: Request) -> None:
        wanted = request.headers.get("Range")
        if wanted is None or request.headers.get("If-Range") != etag:
            return request.send(200, content, ETag=etag)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return request.send(416, Content_Range=f"bytes */{len(content)}")
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return request.send(206, content[start:], ETag=etag, Content_Range=place)

    return answer


def broken_off(content: bytes, at: int, etag: str = ETAG) -> Answer:
    """Promises all of it and hangs up after `at` bytes."""
    return lambda request: request.send(200, content[:at], Content_Length=len(content), ETag=etag)


def failing(status: int) -> Answer:
    return lambda request: request.send(status, b"no")
