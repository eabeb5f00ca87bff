"""Chatter: what an assistant says around a caption ("Here is the caption:", "I hope this helps"). Pure, linear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omnidetective.captions.sentences import split_sentences

_THING = (
    r"(?:captions?|descriptions?|summary|transcripts?|breakdown|versions?|paragraphs?|rewrites?|drafts?|narrative|account|"
    r"output|result|response|answer|text)"
)
_KIND = r"(?:(?:\w|-){1,20}\s){0,6}?"
_OPENING = re.compile(
    rf"""
    [\s*_#>]*
    (?:
      (?:sure(?:\sthing)?|certainly|of\scourse|absolutely|okay|ok|alright|great|got\sit|understood|no\sproblem)
        (?: \s?!
          | (?: \s?[.,:—–-] | \s ) \s*
            (?=(?:here(?:[’']s|\s(?:is|are))|below\sis|let\sme|i[’'](?:ll|ve)|i\s(?:will|have|can))\b) )
    | (?:here(?:[’']s|\s(?:is|are))|below\s(?:is|are)|the\sfollowing\sis|this\sis)
        \s(?:the|an?|your|my|one)\s{_KIND}{_THING}\b [^\n:.!?]{{0,120}} :
    | (?:here(?:[’']s|\s(?:is|are))|below\s(?:is|are))
        \s(?:the|an?|your|my|one)\s{_KIND}{_THING}\b [^\n:.!?]{{0,120}} (?:[.!](?=\s|$)|(?=\n))
    | (?:let\sme|i[’']ll|i\swill|i[’']ve|i\shave)
        \s(?:describe|caption|provide|write|written|rewritten|merged?|refined|corrected|combined|revised|created|prepared)\b
        [^\n:.!?]{{0,160}} [.:!]
    | (?:(?:final|improved|refined|revised|corrected|merged|updated|detailed|dense|video|audio|image|full)\s){{0,3}}
        (?:caption|description|answer|output|response|draft) [*_]{{0,3}} \s?:
    )
    [\s*_]*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = re.compile(
    r"""
    [\s*_(\[]*
    (?:
      (?:i\s)?hope\s(?:this|that|it|the)\b .{0,60} \b(?:helps?|useful|meets|helpful|works)
    | (?:please\s)?
        (?:let\sme\sknow\s(?:if|what|how|whether)|feel\sfree\sto\s(?:ask|let|reach|request)|do\snot\shesitate\sto)
    | if\syou(?:\s(?:need|want|would\slike|have\sany|wish|prefer)|[’']d\slike)\b
        .{0,120} \b(?:let\sme|ask|i\scan|i[’']ll|questions?|tell\sme)
    | (?:would\syou\slike|do\syou\swant)\s(?:me\sto|a|another)\b | is\sthere\sanything\selse
    | (?:word|token)\scount\s?:
    | this\s(?:caption|description)\s(?:is\sbased|captures|covers|follows|combines|merges|integrates|provides|includes)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ASSISTANT = re.compile(
    r"""
    \bas\san\s(?:AI|artificial\sintelligence)\b (?:\s(?:language\s|vision\s)?(?:model|assistant))?
    | \bas\sa\s(?:large\s)?language\smodel\b
    | \bi(?:[’']m|\sam)
        \s(?:an\sAI|sorry,?\s(?:but\s)?i\s(?:can|am)|unable\sto\s(?:view|watch|see|process|provide|assist))
    | \bi\s(?:can(?:not|[’']t)|am\snot\sable\sto)\s(?:view|watch|see|hear|process|access|provide|assist|help|describe)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def openings(text: str) -> Iterator[tuple[int, int]]:
    """``(start, end)`` of each piece of chatter before the caption, in order."""
    position = 0
    while match := _OPENING.match(text, position):
        yield match.span()
        position = match.end()


def closings(text: str) -> tuple[tuple[int, int], ...]:
    """``(start, end)`` of the sentences of chatter after the caption, in order."""
    found: list[tuple[int, int]] = []
    for sentence in reversed(split_sentences(text)):
        if not _CLOSING.match(text, sentence.start, sentence.end):
            break
        found.append((sentence.start, sentence.end))
    return tuple(reversed(found))


def assistant_talk(text: str) -> Iterator[tuple[int, int]]:
    """``(start, end)`` of phrases in which the model speaks of itself."""
    for match in _ASSISTANT.finditer(text):
        yield match.span()
