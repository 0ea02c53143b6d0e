"""The link to an InfluxDB server: line protocol in, InfluxQL answers out.

Lines go through influxdb-client, one request after the other: its background batching drops what it
cannot write. Servers before 1.8 have no such endpoint; there ``/write`` takes the same lines.
InfluxQL on ``/query`` is what 1.x, 2.x and 3.x share. What a server refuses for good is Refused;
everything else, wrong tokens and missing databases too, is Unavailable: it may pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from urllib3.exceptions import HTTPError

from storage.tail import StorageError

_NS: Final[Any] = WritePrecision.NS
_WRITTEN, _NEVER, _TOO_LARGE = 204, (400, 422), 413
_NO_SUCH_PATH: Final = b"404 page not found"
_LONGEST_WAIT_S: Final = 300.0
_LONGEST_TEXT: Final = 300
_ADVICE: Final = {
    401: "user, password or token of FIELDCARE_TELEMETRY is wrong",
    403: "the user or token of FIELDCARE_TELEMETRY may not do this",
    404: "database, bucket or organisation of FIELDCARE_TELEMETRY is missing;"
    " `fieldcare migrate` makes it",
    429: "the server asks to wait",
    503: "the server asks to wait",
}


class Refused(Exception):
    """The server will never take all of these lines; the text is its answer."""


class TooLarge(Exception):
    """The server takes no request of this size."""


class Unavailable(StorageError):
    """The server cannot now; the text says why, ``after_s`` how long it asks to wait, or None."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and who we are there: a token (2.x, 3.x) or a user (1.x).

    A bucket of 2.x is a database of 1.x and 3.x. Roll-ups are in one of their own.
    """

    url: str
    bucket: str
    org: str = "-"
    token: str = ""
    user: str = ""
    password: str = ""
    timeout_s: float = 10.0

    @property
    def rollups(self) -> str:
        """The bucket of the roll-ups."""
        return f"{self.bucket}_rollups"

    def http(self) -> httpx.Client:
        """Return a client that says who we are."""
        headers = {"Authorization": f"Token {self.token}"} if self.token else {}
        auth = (self.user, self.password) if self.user else None
        return httpx.Client(base_url=self.url, headers=headers, auth=auth, timeout=self.timeout_s)


class Answer(msgspec.Struct):
    """One series: a name per column, a list of values per row, its tags."""

    columns: list[str]
    values: list[list[int | float | str | None]]
    tags: dict[str, str] = {}


class _Statement(msgspec.Struct):
    series: list[Answer] = []
    error: str = ""


class _Statements(msgspec.Struct):
    results: list[_Statement] = []
    error: str = ""
    message: str = ""


_statements = msgspec.json.Decoder(_Statements)


class Link:
    """Writes lines to one bucket and asks InfluxQL questions. Any thread asks, one writes.

    Raises Unavailable when the server cannot.
    """

    def __init__(self, server: Server, bucket: str = "") -> None:
        self._server, self._bucket = server, bucket or server.bucket
        self._has_v2 = True
        self._http = server.http()
        token = server.token or f"{server.user}:{server.password}"
        self._client = InfluxDBClient(
            server.url, token, org=server.org, timeout=int(server.timeout_s * 1000), retries=False
        )
        self._v2 = self._client.write_api(write_options=SYNCHRONOUS)

    # --- write ---

    def write(self, lines: bytes) -> None:
        """Write lines with times in ns. Raises Refused or TooLarge when waiting will not help."""
        if not self._has_v2 or not self._write_v2(lines):
            self._write_v1(lines)
            self._has_v2 = False

    def _write_v2(self, lines: bytes) -> bool:
        """Return False when the server does not know this way of writing (InfluxDB before 1.8)."""
        try:
            self._v2.write(self._bucket, self._server.org, lines, _NS)
        except InfluxDBError as error:
            return self._judged_v2(error)
        except (HTTPError, OSError, ValueError) as error:
            raise self._unreachable(error) from error
        self._expect_written(self._client.api_client.last_response.status)
        return True

    def _judged_v2(self, error: Any) -> bool:
        response = error.response
        if response is None:
            raise self._unreachable(error) from error
        body = (response.data or "").encode()
        if response.status == 404 and body.startswith(_NO_SUCH_PATH):
            return False
        raise self._failure(response.status, body, error.headers or {}) from error

    def _write_v1(self, lines: bytes) -> None:
        parameters = {"db": self._bucket, "precision": "ns"}
        answer = self._sent("POST", "/write", params=parameters, content=lines)
        if not answer.is_success:
            raise self._failure(answer.status_code, answer.content, answer.headers)
        self._expect_written(answer.status_code)

    def _expect_written(self, status: int) -> None:
        if status != _WRITTEN:  # something between us and the server answers in its place
            raise Unavailable(f"{self._server.url}: answered {status}, not {_WRITTEN}, to a write")

    def _failure(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception:
        """Return what an answer that is no success means."""
        if status in _NEVER:
            return Refused(body.decode(errors="replace"))
        if status == _TOO_LARGE:
            return TooLarge(f"{self._server.url}: {status}")
        return self._unavailable(status, body, headers)

    def _unavailable(self, status: int, body: bytes, headers: Mapping[str, str]) -> Unavailable:
        said = " ".join(body.decode(errors="replace").split())[:_LONGEST_TEXT]
        advice = _ADVICE.get(status, "the server failed")
        where = f"{self._server.url}, {self._bucket!r}"
        return Unavailable(f"{where}: {advice} ({status} {said})", _wait_s(headers))

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self._server.url}: {str(error) or type(error).__name__}")

    # --- ask ---

    def ask(self, question: str) -> list[Answer]:
        """Return the series that answer an InfluxQL question, times in ms."""
        parameters = {"db": self._bucket, "epoch": "ms", "q": question}
        answer = self._sent("GET", "/query", params=parameters)
        if answer.status_code in _ADVICE:
            raise self._unavailable(answer.status_code, answer.content, answer.headers)
        try:
            found = _statements.decode(answer.content)
        except msgspec.DecodeError as error:
            why = f"{self._server.url}: {answer.status_code}, not an answer: {error}"
            raise Unavailable(why) from error
        problems = [found.error, found.message, *(one.error for one in found.results)]
        if not answer.is_success or any(problems):
            said = " ".join(filter(None, problems))
            status = 404 if said.startswith("database not found") else answer.status_code
            raise self._unavailable(status, said.encode(), answer.headers)
        return [series for one in found.results for series in one.series]

    def _sent(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._v2.close()  # type: ignore[no-untyped-call]
        self._client.close()  # type: ignore[no-untyped-call]
        self._http.close()


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks to wait, as far as that is reasonable."""
    try:
        return min(max(float(headers.get("Retry-After", "")), 0.0), _LONGEST_WAIT_S)
    except ValueError:
        return None


def quoted(name: str) -> str:
    """Return a measurement or field as InfluxQL writes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """Return a string as InfluxQL writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
