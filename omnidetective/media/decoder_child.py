"""The process in which media files are opened: ``python -m omnidetective.media.decoder_child MEMORY_MB``.

It reads requests from standard input, decodes with PyAV and Pillow, and writes replies to standard output. A file that
crashes, hangs or bloats a decoder costs this process, never the worker. What it imposes on itself:

- address space (RLIMIT_AS), no files written (RLIMIT_FSIZE 0), no core dumps;
- a kernel timer that kills it some seconds after the time limit of a request, should its parent not have done so;
- it ends as soon as standard input ends, also in the middle of a decode: a parent killed with -9 leaves none behind;
- its parent starts it without the environment, so there are no keys here to steal, and in its own session.
"""

from __future__ import annotations

import os
import queue
import resource
import signal
import sys
import threading

from omnidetective.media import wire

_ALARM_GRACE_S = 1.0


def main() -> None:
    """Serve until standard input ends."""
    _limit(int(sys.argv[1]) << 20)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.dup(1)
    # Whatever a library prints must not end up between two replies.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    requests: queue.SimpleQueue[wire.Request] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    while True:
        request = requests.get()
        failed = _serve(request, replies)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if failed is not None:
            _write(replies, wire.pack(failed))
            if failed.fatal:
                return


def _limit(memory_bytes: int) -> None:
    for kind, wanted in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            # macOS has no enforceable address space limit; the time limit still holds there.
            continue


def _read_requests(requests: queue.SimpleQueue[wire.Request]) -> None:
    def read(size: int) -> bytes:
        data = sys.stdin.buffer.read(size)
        if len(data) < size:
            raise EOFError
        return data

    try:
        while True:
            requests.put(wire.read_request(read))
    except EOFError:
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a parent that speaks nonsense is as good as gone
        os._exit(1)


def _serve(request: wire.Request, replies: int) -> wire.Failed | None:
    try:
        # Imported here, not above: the limits are in force before a decoder library is loaded.
        from omnidetective.media import decoder_details, decoder_image, decoder_probe, decoder_video
        from omnidetective.media.decoder_file import FileError

        # The default action of SIGALRM ends the process from the kernel, even inside a decoder that never returns.
        signal.setitimer(signal.ITIMER_REAL, request.timeout_s + _ALARM_GRACE_S)
        try:
            if isinstance(request, wire.ProbeRequest):
                probe = decoder_image.probe(request.path, still=request.still) or decoder_probe.probe(request.path)
                _write(replies, wire.pack(probe))
                return None
            if isinstance(request, wire.DetailsRequest):
                _write(replies, wire.pack(decoder_details.details(request)))
                return None
            if isinstance(request, wire.AnimationRequest):
                pictures = decoder_image.animation(request.path)
            elif isinstance(request, wire.TilesRequest):
                pictures = decoder_image.tiles(request)
            elif request.video_index is None:
                pictures = decoder_image.pictures(request)
            elif request.columns is not None:
                pictures = decoder_image.sheet(request, decoder_video.images(request))
            else:
                pictures = decoder_video.pictures(request)
            for picture, blob in pictures:
                _write(replies, wire.pack(picture, blob))
            _write(replies, wire.pack(wire.Done()))
        except FileError as error:
            return wire.Failed(error.reason, error.message, error.hint)
    except MemoryError:
        message = "decoding it takes more memory than is allowed"
        return wire.Failed("memory_limit", message, "raise media.process_memory_mb", fatal=True)
    except ImportError as error:
        message = f"the decoder cannot be loaded: {str(error)[:200]}"
        return wire.Failed("decoder_unavailable", message, wire.CANNOT_LOAD_HINT, fatal=True)
    except Exception as error:  # noqa: BLE001 - the border of the process: any failure becomes a reply
        return wire.Failed("decode_failed", f"it cannot be decoded: {type(error).__name__}: {str(error)[:200]}")
    return None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
