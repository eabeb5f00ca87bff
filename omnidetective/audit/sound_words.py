"""Words of the check "sound": how English captions assert a sound, and which sounds a classifier calls what.

Patterns are matched against one clause of a caption, quotations blanked out, without regard to case. They are narrow
on purpose: what they miss costs less than what they take for an assertion wrongly.
"""

from __future__ import annotations

_BETWEEN = r"(?:\s+[\w'’-]+){0,4}?\s+"

MUSIC_NOUN = (
    r"(?<!sheet\s)(?:music|songs?|melod(?:y|ies)|soundtrack|tunes?|jingle|ballad|anthem)\b"
    r"(?!\s+(?:shops?|stores?|stands?|videos?|schools?|rooms?|halls?|box(?:es)?|festivals?|players?|apps?|teachers?|"
    r"class(?:es)?|sheets?|notes?|icons?|symbols?|posters?|logos?|studios?|stages?|titles?|names?|lists?|books?|lyrics|"
    r"magazines?|awards?|bars?|charts?|software|production|staff|scores?|producers?|artists?|birds?))"
)
MUSIC = (
    rf"{MUSIC_NOUN}{_BETWEEN}(?:plays\b(?!\s+no)|playing|is\s+played|starts|begins|swells|continues|kicks\s+in|"
    r"fades\s+in|builds|accompanies|underscores|sets\s+(?:a|the))"
    rf"|accompanied\s+by\s+(?:[\w-]+\s+){{0,5}}?{MUSIC_NOUN}"
    rf"|\bset\s+to\s+(?:[\w-]+\s+){{0,4}}?{MUSIC_NOUN}"
    r"|\bbackground\s+music\b|\bmusic\s+in\s+the\s+background\b"
)
"""Music that sounds; "a boy plays a song" may only be seen and is none."""

SPEECH_NOUN = (
    r"(?:voices?|voice-?\s?overs?|speech|narrat(?:or|ion))\b(?!\s+(?:bubbles?|balloons?|actors?|notes?|memos?|messages?|"
    r"recorders?|assistants?|search|icons?|buttons?|therap\w+|chat))"
)
SPEECH = (
    rf"{SPEECH_NOUN}{_BETWEEN}(?:says|speaks?|speaking|narrates?|explains?|describes?|announces?|begins|starts|"
    r"continues|goes\s+on|asks|whispers?|shouts?|calls?|counts?|talks?|reads?\s+aloud)\b"
)
"""A voice that sounds; people who talk may only be seen to do so and are none."""

HEARD = (
    r"(?<!has\s)(?<!have\s)(?<!had\s)(?<!having\s)\bheard\b(?!\s+(?:of|about|from|that)\b)|(?<!in)\baudib(?:le|ly)\b"
)
"""Said to be heard: whatever the clause speaks of."""

OTHER = (
    r"\b(?:applause|laughter|thunder|sirens?|birdsong|gunfire|gunshots?|alarms?|cheers|cheering|horns?|bells?|barking|"
    r"footsteps|explosions?|screams?)"
    rf"{_BETWEEN}(?:erupts?|breaks?\s+out|rings?\s+out|echo(?:es)?|resounds?|blares?|wails?|fills?\s+the\s+(?:air|room|hall)|"
    r"sounds?|booms?|rumbles?)\b"
    r"|\bthe\s+(?:[\w-]+\s+){0,2}?sounds?\s+of\b"
    r"|\b(?:we|you|one|viewers?|listeners?)\s+(?:can\s+)?hears?\b"
)
"""Other sounds that are told as sounding."""

VOICE_NOUNS = r"\b(?:voices?|voice-?\s?overs?|narrat(?:or|ion)|speech|speaking|talking|saying|speaks?|says)\b"
"""What makes of something heard a claim of speech."""

DENIED = (
    r"\b(?:no|not|never|without|nothing|nobody|none|no-one|neither|nor|silent|silently|silence|soundless|mute|muted|"
    r"inaudible|barely|hardly|scarcely|absent|absence|lacks?|lacking|instead\s+of|rather\s+than|if|as\s+though|seems?\s+to|"
    r"appears?\s+to|suggest\w*|impl(?:y|ies|ied|ying)|imagin\w*|would|could|might|may|perhaps|possibly|presumably|"
    r"mouth(?:s|ed|ing)?|lips?|pretend\w*|mim(?:e|es|ed|ing)|subtitles?|captions?|lyrics|waveforms?|headphones?|earphones?|"
    r"earbuds?|ceases?|stops?|stopped|ends?|ended|dies|fades?\s+(?:out|away)|cuts?\s+(?:out|off))\b|n['’]t\b"
)
"""A clause with any of these asserts nothing that could be held against silence."""

HERE_AND_NOW = r"\b(?:before|after|until|once|earlier|previous\w*|had\s+been)\b"
"""Words with which a clause may speak of another moment than its anchor's."""

SILENT_THROUGHOUT = (
    r"\b(?:video|clip|recording|footage|audio|sound\s?track|audio\s+track|sound|it)\s+(?:is|plays|remains|stays)\s+"
    r"(?:(?:completely|entirely|totally|fully)\s+(?:silent|soundless)|(?:silent|soundless)\s+throughout|(?:silent|soundless)\s*[.,;]?$)"
    r"|\bsilent\s+throughout\b"
    r"|\bno\s+(?:sound|audio)\s+(?:(?:is|can\s+be)\s+heard\s+)?(?:at\s+all|throughout)\b"
    r"|\bthere\s+is\s+no\s+(?:sound|audio)(?:\s+(?:at\s+all|track|throughout|whatsoever))?\s*[.,;]?$"
)

SUNG = (
    r"\b(?:sing(?:s|ing|er|ers)?|sang|sung|song|lyrics?|chorus|choir|chant\w*|rap(?:s|ping|per)?|hums?|humming|"
    r"vocals?)\b"
)
"""A quotation in such a sentence is sung, and recognisers miss sung words."""

_MUSIC_WORDS = """
music musical song singing choir yodeling chant mantra rapping humming whistling guitar strum banjo sitar mandolin
zither ukulele keyboard piano organ synthesizer sampler harpsichord percussion drum drums snare rimshot timpani tabla
cymbal hi-hat wood tambourine maraca gong tubular mallet marimba glockenspiel vibraphone steelpan orchestra brass horn
trumpet trombone string violin pizzicato cello bass wind flute saxophone clarinet harp bell bells chime harmonica
accordion bagpipes didgeridoo shofar theremin bowl scratching beatboxing rock metal grunge rhythm reggae country
bluegrass funk jazz disco opera techno dubstep electronica electronic flamenco blues capella afrobeat ska lullaby
jingle ringtone tuner effects chorus television radio ding-dong tone
"""
MUSIC_WORDS = frozenset(_MUSIC_WORDS.split())
"""An event whose label holds one of these may be what a caption calls music."""

VOICE_LABELS = frozenset(
    {"singing", "choir", "chant", "mantra", "child singing", "synthetic singing", "rapping", "humming", "yodeling",
     "vocal music", "a capella", "opera", "music", "song", "speech", "shout", "yell", "whispering", "conversation",
     "narration, monologue", "male speech, man speaking", "female speech, woman speaking", "child speech, kid speaking",
     "hubbub, speech noise, speech babble", "chatter", "crowd", "speech synthesizer", "babbling", "television", "radio",
     "children shouting", "children playing", "screaming", "cheering", "bellow", "whoop"}
)  # fmt: skip
"""Kinds of sound that have, or may hide, a voice."""
