"""Print the captions of an output file, one paragraph a clip. Usage: show_captions.py OUT.jsonl"""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path

import click

from omnidetective.records import CaptionRecord


def main(path: Path) -> None:
    """Print id, what it is, and the caption."""
    width = min(100, shutil.get_terminal_size().columns)
    for line in path.read_text(encoding="utf-8").splitlines():
        record = CaptionRecord.model_validate_json(line)
        facts = record.media
        length = f", {facts.duration_s:.1f} s" if facts.duration_s is not None else ""
        click.echo(click.style(f"\n{record.id}", bold=True) + f"  ({facts.modality}{length}, {record.outcome})")
        click.echo(textwrap.fill(record.caption, width=width, initial_indent="  ", subsequent_indent="  "))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: show_captions.py OUT.jsonl")
    main(Path(sys.argv[1]))
