"""``asr``: words, languages, where a voice is, and speech that nobody spoke."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from omnidetective.evals.sample_records import intersect, is_false_speech, length_s, words
from omnidetective.evals.sample_truth import ClipTruth, Truth
from omnidetective.evidence import Span, SpeechEvidence
from omnidetective.records import TranscriptLine
from scripts.bench.instruments.asking import Bench
from scripts.bench.instruments.films import Studio
from scripts.bench.instruments.rows import Row, of, share
from scripts.bench.samples import DATA

SPEECHLESS = {
    "silence": "anullsrc=r=48000",
    "pink noise": "anoisesrc=color=pink:amplitude=0.3:seed=7",
    "hum": "sine=frequency=110",
    "beeps": "aevalsrc='0.4*sin(2*PI*880*t)*lt(mod(t,1),0.2)'",
    "siren": "aevalsrc='0.4*sin(2*PI*(700*t+60*sin(2*PI*0.5*t)))'",
    "crackle": "aevalsrc='0.8*(random(0)-0.5)*lt(mod(t*7.3,1),0.05)'",
}
SPEECHLESS_S = 10.0


async def measure(bench: Bench, truth: Truth, studio: Studio) -> list[Row]:
    """See the module."""
    clips = [clip for clip in truth.clips if clip.has_audio]
    answers = [(clip, await bench.ask("asr", DATA / clip.file, SpeechEvidence)) for clip in clips]
    invented = 0
    for name, source in SPEECHLESS.items():
        path = studio.sound(f"{name.replace(' ', '-')}.wav", source, SPEECHLESS_S)
        invented += len((await bench.ask("asr", path, SpeechEvidence)).segments)
    return [
        *on_samples(answers),
        Row("asr", f"segments invented in {len(SPEECHLESS)} clips without speech", str(invented)),
    ]


def on_samples(answers: list[tuple[ClipTruth, SpeechEvidence]]) -> list[Row]:
    """The rows for clips whose words are known."""
    said = wrong = false = languages = right = segments = 0
    spoken_s = heard_s = claimed_s = 0.0
    for clip, found in answers:
        spoken = [word for item in clip.transcript for word in words(item.text)]
        said += len(spoken)
        wrong += Levenshtein.distance(spoken, [word for s in found.segments for word in words(s.text)])
        lines = [TranscriptLine(start_s=s.start_s, end_s=s.end_s, text=s.text) for s in found.segments]
        segments += len(lines)
        false += sum(is_false_speech(clip, line) for line in lines)
        true = {item.language for item in clip.transcript}
        languages += len(true)
        right += len(true & {s.language or found.language for s in found.segments})
        voices = [item.span for item in clip.transcript]
        written = [Span(start_s=s.start_s, end_s=s.end_s) for s in found.segments if s.end_s > s.start_s]
        spoken_s += length_s(voices)
        heard_s += length_s(intersect(voices, written))
        claimed_s += length_s(written)
    return [
        Row("asr", f"word error rate, {said} words on the samples", f"{wrong} wrong ({share(wrong, said)})"),
        Row("asr", "language of the clip", of(right, languages)),
        Row("asr", f"time of speech that has words, of {spoken_s:.1f} s", share(heard_s, spoken_s)),
        Row("asr", f"time with words that is speech, of {claimed_s:.1f} s", share(heard_s, claimed_s)),
        Row("asr", f"segments where nobody speaks, of {segments} on the samples", str(false)),
    ]
