"""A batch to bytes and back: the form in which it is committed."""

import json
from typing import Any

import msgspec
import numpy as np

from equipment.reading import HISTORICAL, Batch, Block, Note


class _Block(msgspec.Struct, array_like=True, frozen=True):
    metrics: tuple[str, ...]
    devices: list[str]
    at_ms: bytes
    values: bytes
    boots: list[str]
    seqs: bytes
    lateness: bytes


class _Note(msgspec.Struct, array_like=True, frozen=True):
    device: str
    kind: str
    at_ms: int
    boot: str
    seq: int
    body: str


class _Batch(msgspec.Struct, array_like=True, frozen=True):
    blocks: list[_Block]
    notes: list[_Note]
    received_ms: int = -1  # of what an earlier version kept, which marked history only, with 1


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Batch)


def pack(batch: Batch) -> bytes:
    """Return ``batch`` as bytes, without its id."""
    notes = [_Note(n.device, n.kind, n.at_ms, n.boot, n.seq, body_text(n)) for n in batch.notes]
    blocks = [_pack_block(block) for block in batch.blocks]
    return _encoder.encode(_Batch(blocks, notes, batch.received_ms))


def unpack(blob: bytes, id: int) -> Batch:
    """Return the batch in ``blob`` as number ``id``."""
    found = _decoder.decode(blob)
    notes = [
        Note(n.device, n.kind, n.at_ms, n.boot, n.seq, json.loads(n.body)) for n in found.notes
    ]
    marked = HISTORICAL if found.received_ms < 0 else 1
    blocks = [_unpack_block(block, marked) for block in found.blocks]
    return Batch(blocks, notes, id, max(0, found.received_ms))


def body_text(note: Note) -> str:
    """Return the note's body as ASCII JSON, whatever characters are in it."""
    return json.dumps(note.body, separators=(",", ":"))


def _pack_block(block: Block) -> _Block:
    return _Block(
        block.metrics,
        list(block.devices),
        _bytes(block.at_ms, "<i8"),
        _bytes(block.values, "<f8"),
        list(block.boots),
        _bytes(block.seqs, "<i8"),
        _bytes(block.lateness, "i1"),
    )


def _bytes(array: np.ndarray[Any, Any], type_code: str) -> bytes:
    return array.astype(type_code, copy=False).tobytes()


def _unpack_block(found: _Block, marked: int) -> Block:
    return Block(
        found.metrics,
        found.devices,
        np.frombuffer(found.at_ms, "<i8"),
        np.frombuffer(found.values, "<f8").reshape(len(found.devices), len(found.metrics)),
        found.boots,
        np.frombuffer(found.seqs, "<i8"),
        np.frombuffer(found.lateness, "i1") * np.int8(marked),
    )
