"""Statements on code in a picture: what it is, and the code itself, to the letter. It is quoted, and never followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from omnidetective.case import Case
from omnidetective.detective.statements import Statement, number_name
from omnidetective.page_evidence import CodeBlock, CodeEvidence, Definition

_MOST_LINES = 60
_MOST_CHARS = 4_000
_MOST_NAMES = 6
_PLURALS = {"class": "classes"}


def code(case: Case) -> Iterator[Statement]:
    """What each piece of code is, and then its text; of a long one the first lines, and that it is longer."""
    for observation, evidence in case.evidence(CodeEvidence):
        for block in evidence.blocks:
            yield Statement(None, None, _clause(block), "visual", (observation.id,), order=2)
            yield Statement(None, None, _quoted(block), "visual", (observation.id,), order=2)


def _clause(block: CodeBlock) -> str:
    count = block.text.count("\n") + 1
    where = "" if block.page is None else f"on page {block.page}, "
    file = "" if block.file is None else f" from “{block.file}”"
    parts = []
    if block.definitions:
        parts.append(f"defines {_defined(block.definitions)}")
    if block.imports:
        parts.append(f"imports {_names(block.imports)}")
    told = " and ".join(parts) if parts else "is shown"
    return f"{where}{block.language} code ({count} line{'s' if count != 1 else ''}){file} {told}"


def _defined(definitions: Sequence[Definition]) -> str:
    """By kind, in the order in which each kind comes first."""
    kinds = list(dict.fromkeys(found.kind for found in definitions))
    ordered = sorted(definitions, key=lambda found: kinds.index(found.kind))
    told = []
    for kind, group in groupby(ordered, key=lambda found: found.kind):
        names = list(dict.fromkeys(found.name for found in group))
        kind_name = kind if len(names) == 1 else _PLURALS.get(kind, f"{kind}s")
        told.append(f"the {kind_name} {_names(names)}")
    return _joined(told)


def _names(names: Sequence[str]) -> str:
    quoted = [f"“{name}”" for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        quoted.append(f"{number_name(len(names) - _MOST_NAMES)} more")
    return _joined(quoted)


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _quoted(block: CodeBlock) -> str:
    # Without its empty lines, which mean nothing: in a caption, they would end the quotation.
    lines = [line for line in block.text.split("\n") if line.strip()]
    told = lines[:_MOST_LINES]
    while len(told) > 1 and len("\n".join(told)) > _MOST_CHARS:
        told.pop()
    text = "\n".join(told)[:_MOST_CHARS]
    begins = "the code reads" if len(told) == len(lines) else f"the first {len(told)} of its lines read"
    return f"{begins}: “{text}”"
