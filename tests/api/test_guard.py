"""What holds for every request: origins, body sizes, safe headers."""

import socket
from collections.abc import Iterator

import pytest

from aftersales.access import Role
from api.guard import BODY_LIMIT, HEADERS
from tests.api import given_api
from tests.api.given_api import problem_of

SESSION = "/api/v1/session"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with given_api.serving(given_api.busy().app) as (_, port):
        yield port


def raw(port: int, *lines: str, body: bytes = b"") -> str:
    """Send a request just as it is written here; return the whole answer."""
    head = "\r\n".join((*lines, "Host: desk", "Connection: close", "", ""))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(head.encode("latin-1") + body)
        answer = b""
        while some := link.recv(65536):
            answer += some
    return answer.decode("utf-8", "replace")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://testserver.evil.example", "http://testserver:81",
     "file://testserver", "testserver", ""],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("POST", SESSION), ("DELETE", SESSION)])
def test_another_site_cannot_change_anything(method: str, path: str, origin: str) -> None:
    client = given_api.busy().browser(Role.DI)
    answer = client.request(method, path, headers={"Origin": origin})
    assert answer.status_code == 403
    problem_of(answer)
    assert client.get(SESSION).status_code == 200


def test_our_own_pages_and_programs_without_an_origin_may_change_things() -> None:
    for headers in ({"Origin": "http://testserver"}, {}):
        client = given_api.busy().browser(Role.DI)
        assert client.delete(SESSION, headers=headers).status_code == 204


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/clock", "/api/v1/devices", "/api/v1/x"])
def test_every_answer_has_the_safe_headers(path: str) -> None:
    answer = given_api.busy().browser(None).get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_no_answer_of_the_api_is_kept_by_a_browser() -> None:
    client = given_api.busy().browser(Role.DI)
    for path in ("/api/v1/session", "/api/v1/tickets", "/api/v1/nothing", "/healthz", "/metrics"):
        assert client.get(path).headers["cache-control"] == "no-store"


def test_a_body_over_the_limit_is_refused() -> None:
    answer = given_api.busy().browser(None).post(SESSION, content=b"x" * (BODY_LIMIT + 1))
    assert answer.status_code == 413
    assert str(BODY_LIMIT) in problem_of(answer)["detail"]


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "9" * 5000, "0x10", " "])
def test_a_length_that_is_none_is_refused_and_no_fault_of_ours(length: str) -> None:
    client = given_api.busy().browser(None)
    headers = {"Content-Length": length.encode("latin-1")}
    answer = client.request("POST", SESSION, headers=headers)
    assert answer.status_code == 413
    problem_of(answer)


def test_a_chunked_body_is_refused(port: int) -> None:
    answer = raw(
        port, f"POST {SESSION} HTTP/1.1", "Transfer-Encoding: chunked", body=b"1\r\nx\r\n0\r\n\r\n"
    )
    assert answer.startswith("HTTP/1.1 411")
    assert "application/problem+json" in answer


TRAVERSALS = [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd",
    "/assets/../../api/app.py", "/assets/%2e%2e/%2e%2e/pyproject.toml", "/%5c..%5c..%5cx",
    "/a%00b", "/assets/%00", "/..", "/%2e%2e", "/.%2e/x", "//etc/passwd/..", "/%0d%0aSet-Cookie:x",
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_the_pages(port: int, path: str) -> None:
    answer = raw(port, f"GET {path} HTTP/1.1")
    assert answer.startswith("HTTP/1.1 404"), answer[:200]
    assert "application/problem+json" in answer
    assert "root:" not in answer
    assert "set-cookie" not in answer.lower().partition("\r\n\r\n")[0]


def test_a_path_of_unheard_length_is_no_fault_of_ours(port: int) -> None:
    assert raw(port, f"GET /{'x' * 5000} HTTP/1.1").startswith(("HTTP/1.1 200", "HTTP/1.1 503"))
    assert raw(port, f"GET /assets/{'x' * 5000} HTTP/1.1").startswith(
        ("HTTP/1.1 404", "HTTP/1.1 503")
    )
