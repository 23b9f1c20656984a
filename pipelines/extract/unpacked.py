"""A packed file read as what it unpacks to, over all its members, with its damage told and not raised.

In: a file object whose first bytes may say gzip or zstd. Out: a raw stream of bytes. Python's gzip and zstandard's
reader raise in the middle of a buffer, or stop silently where a zstd file is cut off.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 13  # packed bytes at a time: what they unpack to stays small even where they are a bomb


class Unpacked(io.RawIOBase):
    """A file, unpacked if its first bytes say gzip or zstd, over all its members.

    Where it is cut off or damaged it ends after the last whole byte, and `damage` says what is wrong: an error raised
    in the middle would lose what the readers above have in their buffers.
    """

    def __init__(self, packed: Any) -> None:
        import zstandard

        magic = packed.read(4)
        packed.seek(0)
        self.packed, self.rest, self.ready, self.damage = packed, b"", b"", ""
        self.errors = (zlib.error, zstandard.ZstdError)
        self.member: Any = None
        self.open_member: Callable[[], Any] | None = None
        if magic.startswith(b"\x1f\x8b"):
            self.open_member = lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif magic == b"\x28\xb5\x2f\xfd":
            self.open_member = lambda: zstandard.ZstdDecompressor().decompressobj()

    def readable(self) -> bool:  # noqa: D102 - as in io.RawIOBase
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        while not self.ready and self._feed():
            pass
        count = min(len(buffer), len(self.ready))
        buffer[:count], self.ready = self.ready[:count], self.ready[count:]
        return count

    def _feed(self) -> bool:
        """One more chunk of the packed file; false at its end."""
        chunk = self.rest or self.packed.read(CHUNK)
        if self.open_member is None or not chunk or self.damage:
            self.ready = b"" if self.damage else chunk
            self.damage = self.damage or ("cut off within a packed member" if self.member else "")
            return bool(self.ready)
        try:
            self.member = self.member or self.open_member()
            self.ready = self.member.decompress(chunk)
        except self.errors as error:
            self.damage = str(error)
            return False
        self.rest = self.member.unused_data.lstrip(b"\0") if self.member.eof else b""  # tar pads with zeros
        self.member = None if self.member.eof else self.member
        return True
