"""How programs of one run talk over a socket: two lengths, a JSON header, then raw bytes. Nothing is ever unpickled."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Final

Payload = bytes | memoryview

LENGTHS: Final = struct.Struct(">IQ")
"""Bytes of the header, bytes of the payload."""


class WireError(Exception):
    """The other end said something that cannot be understood."""


class TooLongError(WireError):
    """The other end began to say more than it may. Nothing of it was read."""


@dataclass(frozen=True, slots=True)
class Most:
    """Most bytes of one message."""

    header: int
    payload: int

    def check(self, lengths: bytes) -> tuple[int, int]:
        """The lengths that a message begins with.

        Raises:
            TooLongError: it is longer than this.
        """
        header, payload = LENGTHS.unpack(lengths)
        if header > self.header or payload > self.payload:
            raise TooLongError(f"a message of {header + payload:,} bytes")
        return header, payload


def begin(header: bytes, payload: Payload | None = None) -> bytes:
    """What stands before the payload."""
    return LENGTHS.pack(len(header), 0 if payload is None else len(payload)) + header


def write_frame(writer: asyncio.StreamWriter, header: bytes, payload: Payload | None = None) -> None:
    """Write a message; the caller waits for the socket to drain where that matters."""
    writer.write(begin(header, payload))
    if payload is not None:
        writer.write(payload)


async def read_frame(reader: asyncio.StreamReader, most: Most) -> tuple[bytes, bytes] | None:
    """The next message; ``None`` when the other end is gone, even in the middle of one.

    Raises:
        TooLongError: it is longer than it may be.
    """
    try:
        header_bytes, payload_bytes = most.check(await reader.readexactly(LENGTHS.size))
        header = await reader.readexactly(header_bytes)
        return header, await reader.readexactly(payload_bytes) if payload_bytes else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
