"""An HTTP stand-in for faults a real InfluxDB cannot be made to show; it takes points otherwise.

What it answers is written from the documented wire: 1.x and 2.x in text, 3.x with line numbers. No
InfluxDB 3 was at hand to compare with.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Fault:
    """What is answered to one write; ``takes`` the points all the same."""

    status: int = 204
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    raw: bytes | None = None
    takes: bool = False


CUT = Fault(raw=b"")
CUT_IN_THE_REPLY = Fault(raw=b"HTTP/1.1 20", takes=True)
GARBAGE = Fault(raw=b"\x16\x03\x01\x02\0 nonsense\r\n\r\n")
NOT_UTF8 = Fault(500, "\udcff\udcfe")
CAPTIVE = Fault(200, "<html>Sign in to the hotel's network</html>")

Refuse = Callable[[list[str], set[int]], tuple[int, str]]


def refuse_1(lines: list[str], bad: set[int]) -> tuple[int, str]:
    texts = "\n".join(f"unable to parse '{lines[n]}': bad timestamp" for n in sorted(bad))
    return 400, json.dumps({"error": f"partial write: {texts} dropped=0"})


def refuse_2(lines: list[str], bad: set[int]) -> tuple[int, str]:
    said = (
        "failure writing points to database: partial write: field type conflict: input field "
        '"temp" on measurement "CHEM" is type float, already exists as type string '
        f"dropped={len(bad)}"
    )
    return 422, json.dumps({"code": "unprocessable entity", "message": said})


def refuse_3(lines: list[str], bad: set[int]) -> tuple[int, str]:
    rows = [
        {
            "original_line": lines[n][:20],
            "line_number": n + 1,
            "error_message": "invalid column type",
        }
        for n in sorted(bad)
    ]
    return 400, json.dumps({"error": "partial write of line protocol occurred", "data": rows})


def refuse_without_a_word(lines: list[str], bad: set[int]) -> tuple[int, str]:
    return 400, "Bad Request"


class StandIn:
    """Takes points at ``/api/v2/write`` and ``/write``; ``faults`` come first, one a write."""

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.points: dict[tuple[str, str], str] = {}
        self.taken: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.poison: Callable[[str], bool] = lambda line: False
        self.refuse: Refuse = refuse_1
        self.most_bytes = 2**30
        self.has_v2 = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def judge(self, path: str, lines: list[str], size: int) -> Fault:
        if not self.has_v2 and path == "/api/v2/write":
            return Fault(404, "404 page not found\n")
        if self.faults:
            fault = self.faults.popleft()
            if fault.takes:
                self.take(lines)
            return fault
        if size > self.most_bytes:
            return Fault(413, '{"code":"request too large","message":"too large"}')
        bad = {n for n, line in enumerate(lines) if self.poison(line)}
        self.take([line for n, line in enumerate(lines) if n not in bad])
        return Fault(*self.refuse(lines, bad)) if bad else Fault()

    def take(self, lines: Sequence[str]) -> None:
        for line in lines:
            head, fields, at_ns = line.rsplit(" ", 2)
            if (head, at_ns) not in self.points:
                self.taken.append(line)
            self.points[head, at_ns] = fields

    def _handler(stand_in) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                stand_in.asked.append((path, {name: values[0] for name, values in query.items()}))
                self.answer(stand_in.judge(path, body.decode().split("\n"), len(body)))

            def answer(self, fault: Fault) -> None:
                time.sleep(fault.after_s)
                if fault.raw is not None:
                    self.wfile.write(fault.raw)
                    self.close_connection = True
                    return
                content = fault.body.encode(errors="surrogateescape")
                self.send_response(fault.status)
                for name, value in {**fault.headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: object) -> None:
                pass

            def handle(self) -> None:
                with suppress(ConnectionError):
                    super().handle()

        return Handler

    @contextmanager
    def serving(self) -> Iterator["StandIn"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
