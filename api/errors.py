"""One table turns the names of errors into problem details (RFC 9457), in the asker's language."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aftersales.machine import NotPermitted, Refused
from desk.handing import Busy, NotAdmitted
from desk.tickets import ChangedMeanwhile, UnknownRecord
from equipment.device import BadRecord
from equipment.words import Words

MEDIA = "application/problem+json"


class Said(Exception):
    """An error whose ``reason`` is told in both languages."""

    def __init__(self, reason: Words) -> None:
        super().__init__(reason.en)
        self.reason = reason


class NotFound(Said, LookupError):
    """There is no such thing, or not for this user; the text says what was asked for."""


class NotSignedIn(Said, PermissionError):
    """The request carries no valid session."""


class NotAllowed(Said, PermissionError):
    """The user's role does not include this; the text says what."""


class TooMany(Said, RuntimeError):
    """A limit was reached; ``after_s`` says when to try again."""

    def __init__(self, reason: Words, after_s: float) -> None:
        super().__init__(reason)
        self.after_s = after_s


class NotHere(Said, RuntimeError):
    """This process cannot do that; the text says which one can."""


class Invalid(Said, ValueError):
    """A ``field`` of the request has a value that cannot be meant."""

    def __init__(self, field: str, reason: Words) -> None:
        super().__init__(reason)
        self.field = field


def check_known(field: str, value: str | None, known: Iterable[str]) -> None:
    """Raise Invalid when ``value`` is given and none of the ``known`` codes."""
    codes = tuple(known)
    if value is not None and value not in codes:
        wrong = Words(f"应为 {'、'.join(codes)} 之一", f"is none of {', '.join(codes)}")
        raise Invalid(field, wrong)


_INVALID = Words("请求内容有误", "Invalid request")
_TITLES: dict[int, Words] = {
    401: Words("请先登录", "Sign in first"),
    403: Words("无权操作", "Not allowed"),
    404: Words("未找到", "Not found"),
    405: Words("不支持该请求方法", "Method not allowed"),
    409: Words("当前无法执行", "Not possible now"),
    411: Words("缺少长度", "Length required"),
    413: Words("内容过大", "Too large"),
    422: _INVALID,
    429: Words("请求过多", "Too many requests"),
    500: Words("服务器内部错误", "Internal error"),
    503: Words("暂时无法处理", "Not available now"),
}
STATUS: dict[type[Exception], tuple[int, Words]] = {
    NotFound: (404, _TITLES[404]),
    NotSignedIn: (401, _TITLES[401]),
    NotAllowed: (403, _TITLES[403]),
    UnknownRecord: (404, _TITLES[404]),
    ChangedMeanwhile: (409, Words("内容已被他人更改", "Changed meanwhile")),
    NotPermitted: (403, _TITLES[403]),
    Refused: (409, _TITLES[409]),
    BadRecord: (422, Words("数值无效", "Invalid value")),
    Invalid: (422, _INVALID),
    TooMany: (429, _TITLES[429]),
    NotAdmitted: (401, Words("设备凭据无效", "No valid credential")),
    Busy: (503, _TITLES[503]),
    NotHere: (503, _TITLES[503]),
}
# What pydantic says, for a Chinese reader; what is not here stays English.
_CHINESE: dict[str, str] = {
    "bool_parsing": "应为 true 或 false",
    "datetime_from_date_parsing": "不是有效的时间",
    "datetime_parsing": "不是有效的时间",
    "greater_than_equal": "不能小于 {ge}",
    "int_parsing": "应为整数",
    "int_parsing_size": "数值过大",
    "int_type": "应为整数",
    "json_invalid": "不是有效的 JSON",
    "less_than_equal": "不能大于 {le}",
    "literal_error": "应为 {expected} 之一",
    "missing": "必填",
    "model_attributes_type": "应为 JSON 对象",
    "string_pattern_mismatch": "格式不正确",
    "string_too_long": "最多 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "string_type": "应为文本",
    "string_unicode": "不是有效的文本",
}
_UNREADABLE = Words("不是可读取的 JSON", "not JSON that can be read")


def reads_chinese(request: Request) -> bool:
    """Return whether the asker prefers Chinese; whoever does not say reads English."""
    wishes = []
    for place, part in enumerate(request.headers.get("accept-language", "")[:200].split(",")):
        tag, _, weight = part.strip().lower().partition(";q=")
        try:
            rank = float(weight or 1)
        except ValueError:
            rank = 0.0
        wishes.append((-rank, place, tag[:2]))
    return next((tag == "zh" for _, _, tag in sorted(wishes) if tag in ("zh", "en")), False)


def problem(
    request: Request,
    status: int,
    detail: Words | str,
    *,
    title: Words | None = None,
    errors: Sequence[tuple[str, Words]] = (),
) -> JSONResponse:
    """Return a problem document; ``errors`` are (field, what is wrong with it)."""
    chinese = reads_chinese(request)
    pick = attrgetter("zh" if chinese else "en")
    named = title or _TITLES.get(status)
    text = detail if isinstance(detail, str) else pick(detail)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": pick(named) if named else text,
        "status": status,
        "detail": text.encode(errors="replace").decode(),
    }
    if errors:
        body["errors"] = [{"field": field, "message": pick(said)} for field, said in errors]
    headers = {"Content-Language": "zh-CN" if chinese else "en", "Vary": "Accept-Language"}
    return JSONResponse(body, status, media_type=MEDIA, headers=headers)


def _named(status: int, title: Words) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        reason = getattr(error, "reason", None) or str(error)
        fields = [(error.field, error.reason)] if isinstance(error, Invalid) else []
        told = problem(request, status, reason, title=title, errors=fields)
        if isinstance(error, TooMany | Busy):
            told.headers["Retry-After"] = str(max(1, round(error.after_s)))
        if isinstance(error, NotAdmitted):
            told.headers["WWW-Authenticate"] = 'Basic realm="fieldcare devices", charset="UTF-8"'
        return told

    return answer


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    rows = [(".".join(str(part) for part in e["loc"]), _said(e)) for e in error.errors()]
    field, said = rows[0] if rows else ("request", _INVALID)
    detail = Words(f"{field}：{said.zh}", f"{field}: {said.en}")
    return problem(request, 422, detail, errors=rows)


def _said(error: Any) -> Words:
    """Return what is wrong, without the input: that may hold what no answer can carry."""
    english = error["msg"].removeprefix("Value error, ")
    chinese = _CHINESE.get(error["type"], english)
    return Words(chinese.format_map(error.get("ctx", {})), english)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI could not read the body: too deep, no UTF-8, huge
        detail = Words(f"body：{_UNREADABLE.zh}", f"body: {_UNREADABLE.en}")
        return problem(request, 422, detail, errors=[("body", _UNREADABLE)])
    told = problem(request, error.status_code, _TITLES.get(error.status_code, str(error.detail)))
    told.headers.update(error.headers or {})
    return told


def install(app: FastAPI) -> None:
    """Answer every named error of the table, and invalid requests, with a problem document."""
    for kind, (status, title) in STATUS.items():
        app.add_exception_handler(kind, _named(status, title))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
