"""Make the sample clips in ``data/``, their truth and their input file.

For maintainers: the clips are committed, nobody else has to run this. It needs Debian or a derivative (``apt-get`` and
``dpkg-deb``; no root, nothing is installed) with bookworm's packages, and ffmpeg from imageio-ffmpeg::

    python -m scripts.make_samples --output data

Pictures, voices, music and the font come out of pinned Debian packages whose checksum is verified; ``data/README.md``
names their authors and licences. Everything in ``truth.json`` follows from the plan below and from the recordings
themselves, before any lossy coding. The same ffmpeg gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from omnidetective.evals.sample_truth import (
    SILENCE_DBFS,
    SILENCE_MIN_S,
    ClipTruth,
    HeardSound,
    ShownText,
    SpokenText,
    TimeRange,
    Truth,
)
from scripts.sample_plans import PHOTO, PLANS, Card, Plan

PACKAGES = {
    "asterisk-core-sounds-en-wav=1.6.1-1": "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    "asterisk-core-sounds-fr-wav=1.6.1-1": "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e",
    "asterisk-moh-opsound-wav=2.03-1.1": "8f9d808a729d305c2d3343993f21ca5e6829e411682618dc8ea7aa8bc24a566c",
    "fonts-dejavu-core=2.37-6": "8892669e51aab4dc56682c8e39d8ddb7d70fad83c369344e1e240bf3ca22bb76",
    "lomiri-wallpapers-16.04=20.04.0-2": "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
    "pocketsphinx-testdata=0.8+5prealpha+1-15": "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0",
}
"""Debian package and version, and the SHA-256 of its file."""

FONT = "usr/share/fonts/truetype/dejavu/{}.ttf"
FFMPEG_TIMEOUT_S = 300
LINE_HEIGHT = 1.75
"""From the top of one line of a card to the top of the next, as a multiple of the line's size."""
VOICE_FLOOR_DB = -35.0
"""A voice is audible where 10 ms of it are at most this far below the recording's loudest 10 ms."""

Samples = NDArray[np.float64]


def fetch(folder: Path) -> Path:
    """Download the packages, check them, and unpack all of them into one tree. Nothing is installed."""
    root = folder / "root"
    for package, sha256 in PACKAGES.items():
        name, _, _ = package.partition("=")
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True, timeout=FFMPEG_TIMEOUT_S)
        (archive,) = folder.glob(f"{name}_*.deb")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != sha256:
            raise SystemExit(f"{archive.name}: SHA-256 is {found}, expected {sha256}")
        subprocess.run(["dpkg-deb", "-x", archive.name, str(root)], cwd=folder, check=True, timeout=FFMPEG_TIMEOUT_S)
    return root


def ffmpeg(arguments: Sequence[str], folder: Path) -> None:
    """Run ffmpeg in ``folder``; the first fault ends the program with ffmpeg's own words."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FFMPEG_TIMEOUT_S)
    if done.returncode:
        raise SystemExit(f"ffmpeg failed: {done.stderr.strip()}")


def draw(plan: Plan, root: Path, folder: Path) -> tuple[list[str], str]:
    """ffmpeg's inputs and filter graph for the picture track. Text goes through files: nothing needs escaping."""
    width, height = plan.size
    inputs: list[str] = []
    graph: list[str] = []
    for number, shot in enumerate(plan.shots):
        if shot.picture is None:
            seconds = shot.frames / plan.fps
            colours = f"c0={shot.ground[0]}:c1={shot.ground[1]}:nb_colors=2:seed=7:speed=0.01"
            inputs += ["-f", "lavfi", "-i", f"gradients=s={width}x{height}:{colours}:r={plan.fps}:d={seconds}"]
            graph.append(
                f"[{number}:v]trim=end_frame={shot.frames},setpts=PTS-STARTPTS,format=yuv444p,setsar=1[s{number}]"
            )
            continue
        inputs += ["-i", str(root / PHOTO.format(shot.picture))]
        # zoompan moves by whole pixels of its input: four times the size makes the movement smooth.
        wide, high = width * 4, height * 4
        done = f"on/{max(shot.frames - 1, 1)}"
        (x0, y0), (x1, y1) = shot.centre
        zoom = f"1/({shot.window[0]}+({shot.window[1] - shot.window[0]})*{done})"
        x = f"(iw-iw/zoom)*({x0}+({x1 - x0})*{done})"
        y = f"(ih-ih/zoom)*({y0}+({y1 - y0})*{done})"
        graph.append(
            f"[{number}:v]scale={wide}:{high}:force_original_aspect_ratio=increase:out_range=tv,crop={wide}:{high},format=yuv444p,"
            f"zoompan=z='{zoom}':x='{x}':y='{y}':d={shot.frames}:s={width}x{height}:fps={plan.fps},setsar=1[s{number}]"
        )
    joined = "".join(f"[s{number}]" for number in range(len(plan.shots)))
    chain = [f"{joined}concat=n={len(plan.shots)}"]
    for number, card in enumerate(plan.cards):
        when = f"enable='between(n,{card.frames[0]},{card.frames[1] - 1})'"
        top = card.top * height
        if card.panel:
            colour, share = card.panel
            margin = card.lines[0][1] * 0.6
            tall = (
                sum(size * LINE_HEIGHT for _, size in card.lines) - card.lines[-1][1] * (LINE_HEIGHT - 1) + 2 * margin
            )
            box = f"x=(iw-w)/2:y={top - margin:.0f}:w=iw*{share}:h={tall:.0f}:color={colour}:t=fill"
            chain.append(f"drawbox={box}:{when}")
        for line, (text, size) in enumerate(card.lines):
            name = f"{Path(plan.file).stem}_{number}_{line}.txt"
            (folder / name).write_text(text, encoding="utf-8")
            font = f"root/{FONT.format(card.font)}"
            graphic = f"fontfile={font}:textfile={name}:expansion=none:fontsize={size}:fontcolor={card.colour}"
            chain.append(f"drawtext={graphic}:x=(w-text_w)/2:y={top:.0f}:y_align=font:{when}")
            top += size * LINE_HEIGHT
    graph.append(",".join(chain) + "[picture]")
    return inputs, ";".join(graph)


def read_wave(path: Path, *, rate_hz: int) -> Samples:
    """A mono 16-bit recording at the rate that it must have, as samples in -1…1."""
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, rate_hz):
            raise SystemExit(f"{path.name}: {file.getparams()}, expected mono 16-bit {rate_hz} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64) / 32768


def levels_db(samples: Samples, *, rate_hz: int) -> Samples:
    """RMS level in dB of full scale of each whole 10 ms."""
    width = rate_hz // 100
    blocks = samples[: samples.size // width * width].reshape(-1, width)
    return np.asarray(20 * np.log10(np.sqrt((blocks**2).mean(axis=1)) + 1e-9))


def mix(plan: Plan, root: Path) -> tuple[Samples, tuple[SpokenText, ...], tuple[HeardSound, ...]]:
    """The sound track, what is said in it, and the kinds of sound, by the recordings' own audible parts."""
    track = np.zeros(round(plan.duration_s * plan.rate_hz))
    spoken: list[SpokenText] = []
    sounds: list[HeardSound] = []
    for voice in plan.voices:
        samples = read_wave(root / voice.path, rate_hz=plan.rate_hz)
        at = round(voice.at_s * plan.rate_hz)
        track[at : at + samples.size] += samples
        levels = levels_db(samples, rate_hz=plan.rate_hz)
        audible = np.flatnonzero(levels > levels.max() + VOICE_FLOOR_DB)
        start_s = round(voice.at_s + float(audible[0]) / 100, 2)
        end_s = round(voice.at_s + float(audible[-1] + 1) / 100, 2)
        spoken.append(SpokenText(start_s=start_s, end_s=end_s, text=voice.text, language=voice.language))
        sounds.append(HeardSound(start_s=start_s, end_s=end_s, label="speech"))
    for music in plan.music:
        first, count = round(music.from_s * plan.rate_hz), round(music.seconds * plan.rate_hz)
        samples = read_wave(root / music.path, rate_hz=plan.rate_hz)[first : first + count]
        ramp = np.minimum(1.0, np.arange(count) / (plan.rate_hz * 0.05))
        at = round(music.at_s * plan.rate_hz)
        track[at : at + count] += samples * ramp * ramp[::-1]
        sounds.append(HeardSound(start_s=music.at_s, end_s=music.at_s + music.seconds, label="music"))
    if np.abs(track).max() > 1:
        raise SystemExit(f"{plan.file}: the sound track clips")
    return track, tuple(spoken), tuple(sounds)


def silences(track: Samples, *, rate_hz: int) -> tuple[TimeRange, ...]:
    """Where the sound track is silent, by the definition of the truth."""
    quiet = np.concatenate(([False], levels_db(track, rate_hz=rate_hz) < SILENCE_DBFS, [False]))
    edges = np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2)
    return tuple(
        TimeRange(start_s=round(start / 100, 2), end_s=round(end / 100, 2))
        for start, end in edges.tolist()
        if (end - start) / 100 >= SILENCE_MIN_S
    )


def make(plan: Plan, root: Path, folder: Path) -> ClipTruth:
    """Write the clip into ``folder``, and say what is in it."""
    arguments: list[str] = []
    track = np.zeros(0)
    spoken: tuple[SpokenText, ...] = ()
    sounds: tuple[HeardSound, ...] = ()
    maps: list[str] = []
    if plan.shots:
        inputs, graph = draw(plan, root, folder)
        arguments += [*inputs, "-filter_complex", graph]
        maps += ["-map", "[picture]"]
    if plan.voices or plan.music:
        track, spoken, sounds = mix(plan, root)
        name = f"{Path(plan.file).stem}.wav"
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, plan.rate_hz, track.size, "NONE", ""))
            file.writeframes((track * 32767).round().astype("<i2").tobytes())
        arguments += ["-i", name]
        maps += ["-map", f"{len(plan.shots)}:a"]
    exact = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
    ffmpeg([*arguments, *maps, *plan.coding, *exact, plan.file], folder)
    return ClipTruth(
        id=str(plan.row["id"]),
        file=plan.file,
        sha256=hashlib.sha256((folder / plan.file).read_bytes()).hexdigest(),
        modality=plan.modality,
        duration_s=None if plan.modality == "image" else plan.duration_s,
        width=plan.size[0] if plan.shots else None,
        height=plan.size[1] if plan.shots else None,
        has_audio=track.size > 0,
        has_video=bool(plan.shots),
        transcript=spoken,
        cards=tuple(shown(card, plan) for card in plan.cards),
        cuts=tuple(round(float(end) / plan.fps, 3) for end in np.cumsum([shot.frames for shot in plan.shots])[:-1]),
        silent=silences(track, rate_hz=plan.rate_hz),
        sounds=sounds,
    )


def shown(card: Card, plan: Plan) -> ShownText:
    """A card as the truth tells it."""
    lines = tuple(text for text, _ in card.lines)
    if plan.modality == "image":
        return ShownText(lines=lines)
    start_s, end_s = (round(frame / plan.fps, 3) for frame in card.frames)
    return ShownText(lines=lines, start_s=start_s, end_s=end_s)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the sample clips, their truth and their input file.")
    parser.add_argument("--output", type=Path, default=Path("data"), help="folder to write into (default: data)")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="omnidetective-samples-") as name:
        folder = Path(name)
        root = fetch(folder)
        clips = tuple(make(plan, root, folder) for plan in PLANS)
        for clip in clips:
            (output / clip.file).write_bytes((folder / clip.file).read_bytes())
    (output / "truth.json").write_text(Truth(clips=clips).to_text(), encoding="utf-8")
    rows = "".join(json.dumps(plan.row, ensure_ascii=False) + "\n" for plan in PLANS)
    (output / "input.jsonl").write_text(rows, encoding="utf-8")


if __name__ == "__main__":
    main()
