"""Captions with planted faults are found out, and innocent ones are left alone. To extend: add a row to a table."""

from __future__ import annotations

import time
from typing import NamedTuple

import pytest
from audit.claims import asr, chart, clip, filmed, ocr, shots, sound

from omnidetective.audit.finding import WHY_CHARS
from omnidetective.audit.inspection import CHECKS, inspect
from omnidetective.case import Case
from omnidetective.evidence import Span

MORNING = asr((5.2, 7.0, "Good morning, everyone."), (7.4, 9.0, "Please sit down and open your books."))
SIGNS = ocr((2.0, 6.0, "OPEN DAILY"), (2.0, 6.0, "9 am to 5 pm"), (12.0, 15.0, "Thank you for watching"))
QUIET = sound((0.0, 10.0, "music"), silent=((12.0, 18.0),))
NO_VOICE = asr()


class Fault(NamedTuple):
    caption: str
    case: Case
    found: tuple[tuple[str, str], ...]
    """(check, snippet) of each error, or (check, "missing")."""


SAID = "At 5s, a woman says “Good morning, everyone.” At 7s, she adds: “Please sit down and open your books.”"

FAULTS = [
    # quotes
    Fault("At 5s, a man says “The treasure is buried under the old oak.”", clip(asr((5, 7, "Good morning."))),
          (("quote", "“The treasure is buried under the old oak.”"),)),
    Fault("A man says “I will be back.”", clip(NO_VOICE), (("quote", "“I will be back.”"),)),
    Fault("“You are the voice that you will remember.” The day begins.", clip(NO_VOICE, recording=True),
          (("quote", "“You are the voice that you will remember.”"),)),
    Fault("At 5s, the picture cuts to a man. At 12s, he walks.", clip(shots(12.0)), (("cuts", "picture cuts to"),)),
    Fault("This 20-second video is made of six shots.", clip(shots(12.0)), (("cuts", "video is made of six shots"),)),
    Fault("This 20-second video is one continuous shot.", clip(shots(12.0)), (("cuts", "one continuous shot"),)),
    Fault("A man says “I will be back.”", clip(has_audio=False), (("quote", "“I will be back.”"),)),
    Fault("At 5s, a woman says “Good morning, everybody here.” At 7s, she adds: “Please sit down and open your books.”",
          clip(MORNING), (("quote", "“Good morning, everybody here.”"),)),
    Fault("At 1s, a woman says “Good morning, everyone.” At 7s, she adds: “Please sit down and open your books.”",
          clip(MORNING), (("quote", "“Good morning, everyone.”"),)),
    Fault("At 14s, a woman says “Good morning, everyone.” She adds: “Please sit down and open your books.”",
          clip(MORNING), (("quote", "“Good morning, everyone.”"), ("quote", "“Please sit down and open your books.”"))),
    Fault("A woman says “Please sit down and open your books.” She adds “Good morning, everyone.”",
          clip(MORNING), (("quote", "“Good morning, everyone.”"),)),
    Fault("At 5s, a woman says “Good morning, everyone.”", clip(MORNING), (("quote", "missing"),)),
    Fault("A bird sits on a branch, and the words “never trust the moon” come up.", clip(NO_VOICE, ocr()),
          (("quote", "“never trust the moon”"),)),
    Fault('At 5s, he shouts "Everybody leave the building".', clip(asr((5, 7, "Good morning."), voiced=((5, 7),))),
          (("quote", '"Everybody leave the building"'),)),
    Fault("At 8s, a voice says “Come closer to me.”", clip(asr((12, 13, "Hello."), span=Span(start_s=0, end_s=20))),
          (("quote", "“Come closer to me.”"),)),
    # numbers of charts
    Fault("North reaches 512.", clip(ocr((None, None, "412")), chart(("North", 412), ("South", 187))),
          (("figures", "North reaches 512"),)),
    # text on screen
    Fault("At 2s, a sign reads “CLOSED FOR WINTER”. The signs “OPEN DAILY” and “9 am to 5 pm” hang beside it. "
          "At 12s, the text “Thank you for watching” is shown.", clip(SIGNS),
          (("screen_text", "“CLOSED FOR WINTER”"),)),
    Fault("The text “Breaking News” is shown.", clip(ocr()), (("screen_text", "“Breaking News”"),)),
    Fault("At 10s, the text “OPEN DAILY, 9 am to 5 pm” is shown. At 12s, the text “Thank you for watching” is shown.",
          clip(SIGNS), (("screen_text", "“OPEN DAILY, 9 am to 5 pm”"),)),
    Fault("At 2s, a sign reads “OPEN DAILY, 9 am to 5 pm”.", clip(SIGNS), (("screen_text", "missing"),)),
    Fault("The poster bears the title “NIGHT TRAIN”.", clip(ocr((None, None, "DAY BOAT")), image=True),
          (("screen_text", "“NIGHT TRAIN”"), ("screen_text", "missing"))),
    Fault("A banner says “Welcome home Peter”.", clip(ocr((0, 20, "Welcome home")), image=False),
          (("screen_text", "“Welcome home Peter”"),)),
    Fault("The text “tea and cake now” is shown.", clip(ocr((1, 3, "cake and"), (14, 19, "now tea"), score=0.5)),
          (("screen_text", "“tea and cake now”"),)),
    # sounds
    Fault("At 12s, soft piano music plays. At 18s, he leaves.", clip(QUIET), (("sound", "soft piano music plays"),)),
    Fault("Upbeat music plays throughout.", clip(has_audio=False), (("sound", "Upbeat music plays"),)),
    Fault("Birdsong can be heard in the distance.", clip(has_audio=False), (("sound", "Birdsong can be heard"),)),
    Fault("At 3s, a calm voice narrates the journey.", clip(NO_VOICE), (("sound", "a calm voice narrates"),)),
    Fault("At 14s, background music swells.", clip(sound((0, 5, "music"))), (("sound", "background music"),)),
    Fault("The scene is accompanied by a cheerful song.", clip(sound((0, 5, "speech"))),
          (("sound", "The scene is accompanied by a cheerful song"),)),
    Fault("At 13s, footsteps are heard. At 15s, she sits.", clip(QUIET), (("sound", "footsteps are heard"),)),
    Fault("Applause erupts.", clip(sound(loudness_lufs=None, silent=((0, 20),))), (("sound", "Applause erupts"),)),
    Fault("The video is completely silent.", clip(sound((0, 20, "music"))),
          (("sound", "video is completely silent"),)),
    Fault("Its sound track is silent throughout.", clip(sound((0, 20, "speech"))),
          (("sound", "sound track is silent throughout"),)),
    # cuts
    Fault("At 9s, the scene cuts to a kitchen.", clip(shots(4.0)), (("cuts", "scene cuts to"),)),
    Fault("At 9s, the view switches to a kitchen. At 15s, she sits.", clip(shots(4.0)),
          (("cuts", "view switches to"),)),
    Fault("The scene changes to a beach.", clip(shots()), (("cuts", "scene changes to"),)),
    Fault("At 12s, cut to a close-up of her hands.", clip(shots(4.0)), (("cuts", "cut to"),)),
    Fault("The video is filmed in one continuous take.", clip(shots(4.0, 9.0)), (("cuts", "one continuous take"),)),
    Fault("The clip consists of five shots.", clip(shots(4.0, 9.0)), (("cuts", "clip consists of five shots"),)),
    Fault("The video contains 3 cuts.", clip(shots(4.0)), (("cuts", "video contains 3 cuts"),)),
    Fault("At 2s, the camera slowly pans to the left.", clip(shots(still=True)),
          (("cuts", "the camera slowly pans"),)),
    # camera
    Fault("The camera slowly pans to the left across a square.", clip(filmed((0, 20, "pan right"))),
          (("camera", "The camera slowly pans to the left"),)),
    Fault("At 8s, the camera zooms in on her face.", clip(filmed((0, 20, "static"))),
          (("camera", "the camera zooms in"),)),
    Fault("At 8s, the camera pulls back. At 12s, a dog runs.", clip(filmed((0, 5, "static"), (5, 20, "zoom in"))),
          (("camera", "the camera pulls back"),)),
    Fault("At 3s, the camera tilts down to his shoes. At 9s, it rests.",
          clip(filmed((0, 9, "tilt up"), (9, 20, "static"), cuts=(9.0,))), (("camera", "the camera tilts down"),)),
    Fault("The camera remains completely static.", clip(filmed((0, 11, "pan left"), (11, 20, "zoom out"))),
          (("camera", "The camera remains completely static"),)),
    Fault("At 18s, the screen fades to black.", clip(filmed((0, 20, "static"))),
          (("camera", "the screen fades to black"),)),
    Fault("At 0s, the scene slowly fades in from black. At 9s, a dog runs.",
          clip(filmed((0, 20, "pan left"), fades=((18, 19, "out"),))), (("camera", "the scene slowly fades in"),)),
    # times
    Fault("At 25s, the lights go out.", clip(), (("time", "At 25s,"),)),
    Fault("At 5s, a dog barks. At 5s, it runs off.", clip(), (("time", "At 5s, it runs off."),)),
    Fault("At 9s, a dog barks. At 5s, it runs off.", clip(), (("time", "At 5s, it runs off."),)),
    Fault("At 3-5s, a dog barks.", clip(), (("time", "At 3-5s,"),)),
    Fault("At 3.5s, a dog barks.", clip(), (("time", "At 3.5s,"),)),
    Fault("This 45-second video shows a dog.", clip(), (("time", "This 45-second video"),)),
    Fault("The video lasts 12 seconds and shows a dog.", clip(), (("time", "The video lasts 12 seconds"),)),
    Fault("At 0s, a poster hangs there.", clip(image=True), (("time", "At 0s,"),)),
    # form
    Fault("The man walks. " + "The man walks along the road. " * 6, clip(),
          (("form", "The man walks along the road"),)),
    Fault("A dog runs **fast** over the grass.", clip(), (("form", "**"),)),
    Fault("A dog runs.<|im_end|>", clip(), (("form", "<|im_end|>"),)),
]  # fmt: skip


@pytest.mark.parametrize(("caption", "case", "found"), FAULTS)
def test_faults(caption: str, case: Case, found: tuple[tuple[str, str], ...]) -> None:
    findings = inspect(caption, case).findings
    assert {(f.check, "missing" if f.kind == "missing" else f.snippet) for f in findings} == set(found), findings
    known = {o.id for o in case.observations}
    for finding in findings:
        assert set(finding.evidence) <= known
        assert 0 < len(finding.why) <= WHY_CHARS
        assert finding.kind == "missing" or finding.snippet in caption
        if finding.check in ("quote", "screen_text", "cuts") and known:
            assert finding.evidence


INNOCENT = [
    ("North reaches 412.", clip(ocr((None, None, "412")), chart(("North", 412), ("South", 187)))),
    ("North is 225 ahead.", clip(ocr((None, None, "412")), chart(("North", 412), ("South", 187)))),
    ("At 3s, a calm voice narrates the journey.", clip(asr(gated=False))),  # no voice detector listened
    ("At 5s, a man walks in and the picture cuts to a car.", clip(shots(8.0))),
    ("The second shot is one continuous take.", clip(shots(12.0))),
    # quotes: as they were said, in part, over two segments, told, or not provably wrong
    (SAID, clip(MORNING)),
    ("At 5s, she says “good morning everyone … please sit down” and, sitting, “open your books”.", clip(MORNING)),
    ("At 5s, a woman says, \"Good morning, everyone. Please sit down and open your books.\"", clip(MORNING)),
    ("At 5s, she greets everyone with “morning” and asks them to sit down and open their books.", clip(MORNING)),
    ("At 0s, a door opens, people come in, and then a woman says “Good morning, everyone. Please sit down.” "
     "They open their books.", clip(MORNING)),
    ("At 4s, a teacher enters. She says “Good morning, everyone.” At 9s, she says “Please sit down and open your "
     "books.”", clip(MORNING)),
    ("A man says “I will be back.”", clip()),
    ("At 15s, a man says “I will be back.”", clip(asr(span=Span(start_s=0, end_s=10)))),
    ("At 15s, a man says “I will be back.”", clip(asr(voiced=((14.0, 17.0),)))),
    ("A man mouths “hello there my friend”.", clip(has_audio=False)),
    ("It is the so-called “golden hour”.", clip(NO_VOICE, ocr())),
    ("A speech bubble says “Watch out below!”", clip(image=True)),
    ("At 5s, a man says “Thirty minutes”.", clip(asr((5, 6, "30 minutes")))),
    ("At 2s, a man says “Thank you.” At 9s, he says again: “Thank you.”",
     clip(asr((2, 3, "Thank you."), (9, 10, "Thank you.")))),
    ("At 2s, a voice says: “你好,世界”", clip(asr((2, 4, "你好世界")))),
    ("At 5s, a woman says “Good mourning, everyone at home.”", clip(asr((5, 7, "Good morning, everyone."), score=0.3))),
    # text on screen
    ("At 2s, a sign reads “OPEN DAILY”, below it “9 AM TO 5 PM”. At 12s, the words “Thank you for watching” are shown.",
     clip(SIGNS)),
    ("The sign “Open daily 9 am to 5 pm” hangs at the door. The video ends with the text “Thank you for watching”.",
     clip(SIGNS)),
    ("The text “Breaking News” is shown.", clip()),
    ("A board lists “tea, cake, coffee”.", clip(ocr((1, 9, "Coffee"), (2, 9, "Tea"), (2, 9, "Cake")))),
    ("At 15s, the text “Breaking News” is shown.", clip(ocr(span=Span(start_s=0, end_s=10)))),
    ("A sign reads “Открыто ежедневно”.", clip(ocr())),
    ("A partly obscured sign seems to read “HOTEL”.", clip(ocr())),
    ("A logo “THANKYOU” is shown, the text “FOR WATCHING” below it.", clip(ocr((0, 3, "THANK YOU FOR WATCHING")))),
    ("A dog sleeps.", clip(ocr((0, 3, "qzx wvv kj"), score=0.4))),
    ("A dog sleeps.", clip(ocr((0, 3, "12")))),
    ("The subtitle “Good morning, everyone.” appears. “Please sit down and open your books,” she says.",
     clip(MORNING, ocr())),
    # sounds
    ("No music is heard.", clip(sound())),
    ("No speech, music or noise is heard.", clip(has_audio=False)),
    ("The clip plays without any sound.", clip(has_audio=False)),
    ("At 12s, the music stops. At 18s, he leaves.", clip(QUIET)),
    ("At 12s, nobody speaks.", clip(QUIET, NO_VOICE)),
    ("At 3s, music plays. At 12s, silence falls.", clip(QUIET)),
    ("A woman walks past a music shop; a music video starts on a screen.", clip(has_audio=False)),
    ("A man speaks to the camera and a girl sings on a stage.", clip(has_audio=False)),
    ("A man mouths words, and no voice is heard.", clip(has_audio=False)),
    ("A boy with headphones listens to music, and a speaker hangs on the wall.", clip(has_audio=False)),
    ("Sound waves and sheet music are on the screen.", clip(has_audio=False)),
    ("A boy plays a song on a guitar.", clip(has_audio=False)),
    ("She looks as if music plays in the next room.", clip(has_audio=False)),
    ("At 11s, piano music plays. At 19s, he leaves.", clip(QUIET)),
    ("At 14s, a guitar melody plays.", clip(sound((13, 17, "guitar")))),
    ("At 14s, background music swells.", clip(sound((0, 5, "speech"), classified=False))),
    ("At 3s, a calm voice narrates the journey.", clip(asr(voiced=((2.0, 9.0),)))),
    ("The video is completely silent.", clip(sound(silent=((0, 20),), loudness_lufs=None))),
    ("The video is completely silent.", clip(has_audio=False)),
    ("A silent man watches the street.", clip(sound((0, 20, "music")))),
    ("At 13s, he has heard of the plan.", clip(QUIET)),
    # cuts
    ("At 4s, the scene cuts to a kitchen.", clip(shots(4.4))),
    ("At 3s, she leaves. The picture cuts to a street. At 9s, a car passes.", clip(shots(7.0))),
    ("At 9s, the scene fades to black.", clip(shots(4.0))),
    ("At 9s, the image slowly dissolves and the scene changes to a beach.", clip(shots(4.0))),
    ("At 9s, the camera pans and the view shifts to a window.", clip(shots(still=False))),
    ("At 9s, the chef cuts to the bone of the ham.", clip(shots())),
    ("A man gets a haircut while a second one cuts paper.", clip(shots())),
    ("The video is filmed in one continuous take.", clip(shots())),
    ("At 5s, one continuous shot follows the dog.", clip(shots(4.0))),
    ("A barista pulls a single shot of espresso in this video.", clip(shots(4.0))),
    ("The player in the video takes three shots at the goal.", clip(shots())),
    ("The clip consists of three shots.", clip(shots(4.0, 9.0))),
    ("The clip consists of about five shots.", clip(shots(4.0, 9.0))),
    ("The video does not cut to anything else.", clip(shots())),
    ("At 9s, the scene cuts to a kitchen.", clip()),
    ("The camera never pans or moves.", clip(shots(still=True))),
    ("At 9s, the lighting of the scene changes to red.", clip(shots())),
    ("At 4s, the scene cuts to a kitchen.", clip(filmed(fades=((3.0, 4.0, "dissolve"),)))),
    # camera
    ("The camera slowly pans to the left across a square.", clip(filmed((0, 20, "pan left")))),
    ("The camera pans to the left.", clip(filmed((0, 12, "pan right")))),
    ("The camera pans to the left.", clip(filmed((0, 20, "unsteady")))),
    ("The camera pans from right to left.", clip(filmed((0, 20, "pan left")))),
    ("At 4s, the camera zooms in on her.", clip(filmed((0, 20, "pan right")))),
    ("At 8s, the camera pans left.", clip(filmed((0, 8, "static"), (8, 9, "pan left"), (9, 20, "static")))),
    ("At 8s, the camera pans left.", clip(filmed((0, 8, "static"), (9, 20, "static")))),
    ("At 8s, the camera pans left.", clip(filmed((0, 10, "static"), span=Span(start_s=0, end_s=10)))),
    ("The camera does not pan left; the camera never moves closer.", clip(filmed((0, 20, "pan right")))),
    ("The camera remains static as a car passes.", clip(filmed((0, 4, "static"), (4, 20, "pan left")))),
    ("The camera is still recording.", clip(filmed((0, 20, "pan left")))),
    ("At 18s, the screen fades to black.", clip(filmed((0, 18, "static"), fades=((18, 20, "out"),)))),
    ("At 18s, the screen fades to black.", clip(filmed((0, 17, "static")))),
    ("At 9s, the title fades in over the sea, and the scene fades to a beach.", clip(filmed((0, 20, "static")))),
    ("At 9s, the camera operator pans his camera left.", clip(filmed((0, 20, "static")))),
    # times
    ("At 0s, a dog barks. At 5s, it runs off. At 19s, it sleeps.", clip()),
    ("This 20-second video shows a dog.", clip(duration_s=20.4)),
    ("This one-minute video shows a dog.", clip(duration_s=75.0)),
    ("A 45-second timer runs on the wall, and the 30-second video on the phone ends.", clip()),
    ("A poster hangs on a wall.", clip(image=True)),
    ("The dog waits for 5 seconds and then runs for 3 minutes.", clip()),
    # form
    ("At 2s, the picture cuts to a new shot. At 5s, the picture cuts to a new shot. At 8s, the picture cuts to a new "
     "shot.", clip(shots(2.0, 5.0, 8.0))),
    ("At 1s, a voice says: “" + "no " * 14 + "”", clip(asr((1, 9, "no " * 14)))),
    ("A man in a red coat stands at a bus stop. He waits. He looks at his watch. He waits.", clip()),
]  # fmt: skip


@pytest.mark.parametrize(("caption", "case"), INNOCENT)
def test_no_false_alarm(caption: str, case: Case) -> None:
    assert inspect(caption, case).findings == ()


def test_the_tables_hold_more_innocent_captions_than_faults_for_each_check() -> None:
    assert len(INNOCENT) > len(FAULTS)
    assert {check for fault in FAULTS for check, _ in fault.found} == {name for name, _ in CHECKS}


def test_what_is_borne_out_is_confirmed_with_its_evidence() -> None:
    case = clip(MORNING, SIGNS, QUIET, shots(4.0))
    caption = (
        "At 2s, the sign “OPEN DAILY” hangs over “9 am to 5 pm” and piano music plays. At 4s, the scene cuts to a "
        "school. A woman says “Good morning, everyone. Please sit down and open your books.” At 12s, the text “Thank "
        "you for watching” is shown."
    )
    inspection = inspect(caption, case)
    assert inspection.findings == ()
    assert [(c.check, c.snippet, c.evidence) for c in inspection.confirmed] == [
        ("screen_text", "“OPEN DAILY”", ("o2",)),
        ("screen_text", "“9 am to 5 pm”", ("o2",)),
        ("sound", "piano music plays", ("o3",)),
        ("cuts", "scene cuts to", ("o4",)),
        ("quote", "“Good morning, everyone. Please sit down and open your books.”", ("o1",)),
        ("screen_text", "“Thank you for watching”", ("o2",)),
    ]
    assert all(caption[c.start : c.end] == c.snippet for c in inspection.confirmed)


def test_the_reasons_name_what_was_measured() -> None:
    case = clip(MORNING, shots(4.0))
    caption = (
        "At 5s, a woman says “Good morning, everybody here.” At 7s, she adds: “Please sit down and open your books.” "
        "At 12s, the scene cuts to a yard."
    )
    misquoted, no_cut = inspect(caption, case).findings
    assert "good morning everyone" in misquoted.why
    assert misquoted.evidence == ("o1",)
    assert "4.0" in no_cut.why


def test_findings_come_in_the_order_of_the_text_and_once() -> None:
    caption = "At 3s, **soft** music plays. At 9s, the scene cuts to “X”. At 9s, a man says “Run for your life, boys!”"
    findings = inspect(caption, clip(shots(), NO_VOICE, has_audio=True)).findings
    places = [caption.find(f.snippet) for f in findings]
    assert places == sorted(places)
    assert len(set(findings)) == len(findings) >= 4


def test_the_threshold_is_the_users() -> None:
    case = clip(asr((5, 7, "Good morning, everyone.")))
    caption = "At 5s, a woman says “Good evening, anyone.”"
    (misquoted,) = inspect(caption, case).findings
    assert "misquoted" in misquoted.why
    (unmatched,) = (f for f in inspect(caption, case, quote_similarity=0.95).findings if f.kind == "error")
    assert "not said" in unmatched.why


def test_a_segment_is_judged_within_its_seconds() -> None:
    case = clip(asr((2, 4, "First of all, the weather report.")), shots()).branched("b", Span(start_s=10, end_s=20))
    assert inspect("At 12s, a dog barks.", case).findings == ()


@pytest.mark.parametrize(
    "caption",
    ["", " ", "“", "\x00\ud800", "“a” says " * 20_000, "says “" + "x y " * 100_000 + "”", "At 1s, " * 20_000,
     "music " * 100_000, "music plays. " * 20_000, "the scene cuts to " * 20_000, "the camera " + "very " * 100_000],
    ids=lambda text: f"{len(text)} characters",
)  # fmt: skip
def test_hostile_captions(caption: str) -> None:
    case = clip(MORNING, SIGNS, QUIET, shots(4.0))
    begun = time.monotonic()
    findings = inspect(caption, case).findings
    assert time.monotonic() - begun < 30
    assert all(f.kind == "missing" or f.snippet in caption for f in findings)
