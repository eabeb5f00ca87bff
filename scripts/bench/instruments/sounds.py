"""``sound``: silence, kinds of sound, loudness over time, and when sound sets in."""

from __future__ import annotations

from collections.abc import Sequence

from omnidetective.evals.sample_records import intersect, is_false_sound, is_heard, length_s
from omnidetective.evals.sample_truth import SILENCE_MIN_S, ClipTruth, Truth
from omnidetective.evidence import Level, SoundEvidence
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, mean, of, share
from scripts.bench.samples import DATA

ONSETS_S = (1.0, 2.3, 3.1, 4.8, 6.0, 7.7, 8.5)
ONSET_TOLERANCE_S = 0.1
BURST_S = 0.25
LOUDER_FROM_S = 5.0
LOUDER_DB = 20.0
_EDGE_S = 1.0
"""Beside a step the momentary loudness, a mean over 0.4 s, is on its way."""


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    clips = [clip for clip in truth.clips if clip.has_audio]
    rows = on_samples([(clip, await bench.ask("sound", DATA / clip.file, SoundEvidence)) for clip in clips])
    gate = "+".join(f"between(t,{time_s},{time_s + BURST_S})" for time_s in ONSETS_S)
    bursts = studio.sound("bursts.wav", f"aevalsrc='0.3*sin(2*PI*660*t)*({gate})'", 10.0)
    rows += on_onsets(await bench.ask("sound", bursts, SoundEvidence))
    loud = 0.5
    quiet = loud / 10 ** (LOUDER_DB / 20)
    tone = f"aevalsrc='sin(2*PI*1000*t)*if(lt(t,{LOUDER_FROM_S}),{quiet},{loud})'"
    return [*rows, *on_levels((await bench.ask("sound", studio.sound("step.wav", tone, 10.0), SoundEvidence)).levels)]


def on_samples(answers: Sequence[tuple[ClipTruth, SoundEvidence]]) -> list[Row]:
    """The rows for clips whose silence and sounds are known."""
    silent_s = found_s = told_s = 0.0
    sounds = heard = events = false = 0
    classified = all(found.classified for _, found in answers)
    for clip, found in answers:
        silent = [item.span for item in clip.silent]
        silent_s += length_s(silent)
        # The truth names no shorter ones.
        told = [span for span in found.silent if span.duration_s >= SILENCE_MIN_S]
        told_s += length_s(told)
        found_s += length_s(intersect(silent, told))
        sounds += len(clip.sounds)
        heard += sum(is_heard(item.label, item.span, found.events) for item in clip.sounds)
        events += len(found.events)
        false += sum(is_false_sound(clip, event) for event in found.events)
    rows = [
        Row(
            "sound",
            "silence: common to truth and answer, of both together",
            share(found_s, silent_s + told_s - found_s),
        ),
        Row("sound", f"silence missed, of {silent_s:.1f} s", f"{silent_s - found_s:.1f} s"),
        Row("sound", f"silence invented, of {told_s:.1f} s told", f"{told_s - found_s:.1f} s"),
    ]
    if not classified:
        return [*rows, Row("sound", "kinds of sound", "no classifier here")]
    rows.append(Row("sound", "speech and music heard where they are", of(heard, sounds)))
    return [*rows, Row("sound", f"speech or music in a clip without any, of {events} events", str(false))]


def on_onsets(found: SoundEvidence) -> list[Row]:
    """The rows for moments at which a sound sets in."""
    near = [min((abs(at_s - true_s) for at_s in found.onsets_s), default=1e9) for true_s in ONSETS_S]
    hits = [error_s for error_s in near if error_s <= ONSET_TOLERANCE_S]
    strange = [at_s for at_s in found.onsets_s if min(abs(at_s - true_s) for true_s in ONSETS_S) > ONSET_TOLERANCE_S]
    return [
        Row("sound", f"onsets of bursts, within {ONSET_TOLERANCE_S} s", of(len(hits), len(ONSETS_S))),
        Row("sound", "error of their times", mean(hits, "s", 3)),
        Row("sound", "false onsets", str(len(strange))),
    ]


def on_levels(levels: Sequence[Level]) -> list[Row]:
    """The row for a tone that becomes ten times as loud."""
    quiet = [
        x.lufs for x in levels if x.lufs is not None and x.start_s >= _EDGE_S and x.end_s <= LOUDER_FROM_S - _EDGE_S
    ]
    loud = [x.lufs for x in levels if x.lufs is not None and x.start_s >= LOUDER_FROM_S + _EDGE_S]
    what = f"a step of {LOUDER_DB:g} dB, as told by the levels"
    if not quiet or not loud:
        return [Row("sound", what, "no levels")]
    return [Row("sound", what, f"{sum(loud) / len(loud) - sum(quiet) / len(quiet):.1f} dB")]
