"""Ingest: gateways hand in messages of devices over HTTP, and hear what each came to."""

import asyncio
import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request

from api import shapes
from api.context import Backstage, Stage
from api.document import credential_only
from api.errors import Invalid, NotHere
from desk.handing import HandingIn, Letter, NotAdmitted, Outcome
from equipment.words import Words

router = APIRouter(prefix="/api/v1", tags=["ingest"])

MESSAGES_LIMIT: Final = 2000
UNPACKED_LIMIT: Final = 8 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_ELSEWHERE: Final = Words(
    "此进程不采集；请发送到运行 fieldcare run 或 fieldcare collect --http-port 的地址",
    "no collector runs here; send it to where `fieldcare run` or "
    "`fieldcare collect --http-port` listens",
)


class _Message(msgspec.Struct, frozen=True):
    topic: str
    payload: msgspec.Raw


_array = msgspec.json.Decoder(list[_Message])
_one = msgspec.json.Decoder(_Message)


@router.post("/ingest", **credential_only(shapes.MessageRequest, 401, 503))
async def hand_in(request: Request, stage: Stage) -> shapes.HandedIn:
    """Take messages of devices, as a JSON array or one on each line; answer once they are durable.

    Topics and payloads are those of MQTT. Sending the same again changes nothing.
    """
    letterbox = _letterbox(stage)
    who = await letterbox.admit(*_credential(request.headers.get("authorization", "")))
    encoding = request.headers.get("content-encoding", "")
    letters = await asyncio.to_thread(_letters, await request.body(), encoding)
    return _shape(await letterbox.hand_in(who, letters))


def _letterbox(stage: Backstage) -> HandingIn[Any]:
    if stage.letterbox is None:
        raise NotHere(_ELSEWHERE)
    return stage.letterbox


def _credential(header: str) -> tuple[str, str]:
    """Return name and secret of HTTP Basic. Raises NotAdmitted for anything else."""
    scheme, _, encoded = header.partition(" ")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise NotAdmitted(scheme[:20]) from None
    if scheme.lower() != "basic" or not name or "\0" in name:
        raise NotAdmitted(scheme[:20])
    return name, secret


def _letters(body: bytes, encoding: str) -> list[Letter]:
    """Return the messages of a body. Raises Invalid, which names the first wrong one."""
    text = _unpacked(body, encoding).strip()
    found = _from_array(text) if text.startswith(b"[") else _from_lines(text)
    if not found:
        raise Invalid("body", Words("没有消息", "no message"))
    return [Letter(message.topic, bytes(message.payload)) for message in found]


def _unpacked(body: bytes, encoding: str) -> bytes:
    if not encoding or encoding == "identity":
        return body
    if encoding != "gzip":
        wrong = Words("应为 gzip 或省略", f"{encoding[:40]!r} is not gzip")
        raise Invalid("header.Content-Encoding", wrong)
    unpacking = zlib.decompressobj(_GZIP)
    try:
        plain = unpacking.decompress(body, UNPACKED_LIMIT)
    except zlib.error as error:
        raise Invalid("body", Words("不是有效的 gzip 数据", f"no gzip data: {error}")) from None
    if unpacking.unconsumed_tail:
        most = UNPACKED_LIMIT
        raise Invalid("body", Words(f"解压后超过 {most} 字节", f"more than {most} bytes unpacked"))
    if not unpacking.eof:
        raise Invalid("body", Words("gzip 数据不完整", "the gzip data end too early"))
    return plain


def _from_array(text: bytes) -> Sequence[_Message]:
    try:
        found = _array.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(str(error), Words("", "")) from None
    _check_count(len(found))
    return found


def _from_lines(text: bytes) -> Sequence[_Message]:
    lines = text.split(b"\n", MESSAGES_LIMIT + 1)
    _check_count(len(lines))
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_one.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise _unreadable(str(error), Words(f"第 {number} 行", f"line {number} ")) from None
    return found


def _check_count(found: int) -> None:
    if found > MESSAGES_LIMIT:
        most = MESSAGES_LIMIT
        raise Invalid("body", Words(f"最多 {most} 条消息", f"more than {most} messages"))


def _unreadable(why: str, where: Words) -> Invalid:
    said = Words(f"{where.zh}无法读取：{why}", f"{where.en}cannot be read: {why}")
    return Invalid("body", said)


def _shape(outcomes: Sequence[Outcome]) -> shapes.HandedIn:
    counts = dict.fromkeys(("stored", "duplicate", "quarantined"), 0)
    for outcome in outcomes:
        counts[outcome.what] += 1
    noted = [
        shapes.HandedInNote(place=place, outcome=one.what, reason=one.reason, why=one.why)
        for place, one in enumerate(outcomes)
        if one.what != "stored" or one.reason
    ]
    return shapes.HandedIn(received=len(outcomes), **counts, noted=noted)
