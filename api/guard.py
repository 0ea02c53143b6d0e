"""Guard: what holds for every request and answer, whatever the endpoint."""

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from equipment.words import Words

BODY_LIMIT = 64 * 1024
WIDER = {"/api/v1/ingest": 1024 * 1024}  # address -> limit
_SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_BROKEN = Words("服务器出错，日志里有原因", "the server failed; its log says why")


class Guard:
    """Refuses foreign origins and bodies over the limit; adds the safe headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope)
            await send(message)

        answer: ASGIApp = _refusal(Request(scope)) or self._app
        await answer(scope, receive, told)


def _add_headers(headers: MutableHeaders, scope: Scope) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _refusal(request: Request) -> Response | None:
    origin = request.headers.get("origin")
    if request.method not in _SAFE and origin is not None and not _is_ours(request, origin):
        detail = Words("请求来自其他网站", f"origin {origin[:200]!r} is not ours")
        return errors.problem(request, 403, detail)
    if "transfer-encoding" in request.headers:
        detail = Words("请求必须带 Content-Length", "the request needs a Content-Length")
        return errors.problem(request, 411, detail)
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 10):
        return errors.problem(request, 413, Words("内容长度无效", "no valid Content-Length"))
    limit = WIDER.get(request.url.path, BODY_LIMIT)
    if int(length) > limit:
        detail = Words(
            f"内容 {length} 字节，上限 {limit} 字节", f"body of {length} bytes, limit {limit}"
        )
        return errors.problem(request, 413, detail)
    return None


def _is_ours(request: Request, origin: str) -> bool:
    scheme, _, host = origin.partition("://")
    return scheme in ("http", "https") and host == request.headers.get("host")


async def _failed(request: Request, _error: Exception) -> Response:
    """Tell that the server failed; the error itself goes on to the log."""
    told = errors.problem(request, 500, _BROKEN)
    _add_headers(told.headers, request.scope)
    return told


def install(app: FastAPI) -> None:
    """Put the guard around ``app``."""
    app.add_middleware(Guard)
    app.add_exception_handler(Exception, _failed)
