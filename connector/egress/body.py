"""Reading an answer's body: streamed, capped before and after decompression."""

from __future__ import annotations

import zlib
from typing import Protocol

_CHUNK = 64 * 1024
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class BodyRefused(Exception):
    """The body is too large or cannot be read. `code` is a machine word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Source(Protocol):
    """Where bytes as sent come from; empty at the end."""

    def read(self, amount: int, *, decode_content: bool) -> bytes:
        """At most `amount` bytes."""


def check_encoding(encoding: str) -> str:
    """The one content coding of an answer, or "" for none. Raises BodyRefused for others and for several."""
    coding = encoding.strip().lower()
    if coding in {"", "identity"}:
        return ""
    if coding not in _WINDOWS:
        raise BodyRefused("encoding_refused")
    return coding


def read_body(source: Source, encoding: str, max_bytes: int) -> bytes:
    """The body, at most `max_bytes` as sent and as decompressed. Raises BodyRefused(too_large, truncated, garbled)."""
    coding = check_encoding(encoding)
    unpack = _Unpack(coding, max_bytes) if coding else None
    body = bytearray()
    sent = 0
    while chunk := source.read(_CHUNK, decode_content=False):
        sent += len(chunk)
        if sent > max_bytes:
            raise BodyRefused("too_large")
        body += unpack.feed(chunk, max_bytes - len(body)) if unpack else chunk
    if unpack and sent:
        unpack.finish()
    return bytes(body)


class _Unpack:
    """gzip or deflate, never further than it may."""

    def __init__(self, coding: str, max_bytes: int) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(_WINDOWS[coding])
        self._max_bytes = max_bytes
        self._fresh = True

    def feed(self, chunk: bytes, room: int) -> bytes:
        """What the chunk unpacks to. Raises BodyRefused where that is more than `room`."""
        if self._stream.eof:
            raise BodyRefused("garbled")
        try:
            out = self._unpack(chunk, room + 1)
        except zlib.error:
            raise BodyRefused("garbled") from None
        if len(out) > room or self._stream.unconsumed_tail:
            raise BodyRefused("too_large")
        if self._stream.unused_data:
            raise BodyRefused("garbled")
        return out

    def finish(self) -> None:
        """Raises BodyRefused where the stream did not come to its end."""
        if not self._stream.eof:
            raise BodyRefused("truncated")

    def _unpack(self, chunk: bytes, limit: int) -> bytes:
        try:
            return self._stream.decompress(chunk, limit)
        except zlib.error:
            if self._coding != "deflate" or not self._fresh:
                raise
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers send deflate without its wrapper
            return self._stream.decompress(chunk, limit)
        finally:
            self._fresh = False
