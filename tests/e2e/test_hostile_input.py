"""Rows and files that try to make the program read or reach something: refused, and nobody was reached.

A listening server counts every connection; a canary file would show in a record if it were read.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.media_files import tone, video
from e2e.test_bad_input import run


class Listener:
    """Accepts connections on loopback and counts them."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


def playlists(port: int, canary: Path) -> dict[str, str]:
    """Files that refer to other files and to addresses, by what they are."""
    near, far = canary.as_uri(), f"http://127.0.0.1:{port}/clip.ts"
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{near}\n#EXTINF:2,\n{far}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{canary}'\nfile '{far}'\n",
        "dash": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
            f'bandwidth="1"><BaseURL>{far}</BaseURL></Representation></AdaptationSet></Period></MPD>'
        ),
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
        "svg": (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
            f'<image xlink:href="{far}"/></svg>'
        ),
        "asx": f'<asx version="3.0"><entry><ref href="{far}"/></entry></asx>',
        "m3u": f"{canary}\n{far}\n",
    }


@pytest.mark.parametrize("suffix", [".mp4", ".jpg", ".own"])
def test_playlists_are_refused_whatever_they_are_called(tmp_path: Path, listener: Listener, suffix: str) -> None:
    rows, clips = tmp_path / "rows", tmp_path / "elsewhere"
    rows.mkdir()
    clips.mkdir()
    canary = video(clips / "canary.ts", seconds=3)
    for name, text in playlists(listener.port, canary).items():
        own = {"hls": ".m3u8", "concat": ".ffconcat", "dash": ".mpd", "m3u": ".m3u"}.get(name, f".{name}")
        (rows / f"{name}{own if suffix == '.own' else suffix}").write_text(text)
    lines = [json.dumps({"id": path.stem, "path": path.name}) for path in sorted(rows.iterdir())]
    records, failures, done = run(rows, lines)
    assert records == {}
    assert {row["outcome"] for row in failures.values()} == {"invalid_media"}, failures
    assert len(failures) == len(lines)
    assert listener.connections == 0
    assert "canary" not in json.dumps([row["error"] for row in failures.values()])
    assert done.returncode == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/a.mp4",
        "http://localhost:{port}/a.mp4",
        "http://0.0.0.0:{port}/a.mp4",
        "http://[::1]:{port}/a.mp4",
        "http://[::ffff:127.0.0.1]:{port}/a.mp4",
        "http://2130706433:{port}/a.mp4",
        "http://0x7f.1:{port}/a.mp4",
        "http://127.1:{port}/a.mp4",
        "http://user:secret-of-mine@127.0.0.1:{port}/a.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.mp4",
        "ftp://127.0.0.1:{port}/a.mp4",
        "rtsp://127.0.0.1:{port}/a",
        "file:///etc/passwd",
        "concat:/etc/passwd|/etc/hosts",
        "subfile,,start,0,end,99,,:/etc/passwd",
        "pipe:0",
    ],
)
def test_addresses_and_schemes_that_reach_inside_are_refused(tmp_path: Path, listener: Listener, address: str) -> None:
    url = address.format(port=listener.port)
    records, failures, _ = run(tmp_path, [json.dumps({"id": "x", "url": url})])
    assert records == {}
    assert failures["x"]["outcome"] == "invalid_media"
    assert failures["x"]["error"]["retryable"] is False
    assert listener.connections == 0
    assert "secret-of-mine" not in json.dumps(failures["x"]["error"])


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    rows, secret = tmp_path / "rows", tmp_path / "secret"
    rows.mkdir()
    secret.mkdir()
    tone(secret / "private.wav")
    (rows / "link.wav").symlink_to(secret / "private.wav")
    lines = [
        json.dumps({"id": "link", "audio": "link.wav"}),
        json.dumps({"id": "dots", "audio": "../secret/private.wav"}),
        json.dumps({"id": "whole", "audio": str(secret / "private.wav")}),
    ]
    records, failures, _ = run(rows, lines)
    assert records == {}
    assert {row["error"]["reason"] for row in failures.values()} == {"not_allowed"}
    again = rows / "again"
    again.mkdir()
    records, failures, done = run(
        again, [json.dumps({"id": "dots", "audio": "../../secret/private.wav"})], "--set", f"media.roots=[{secret}]"
    )
    assert set(records) == {"dots"}, failures
    assert done.returncode == 0
