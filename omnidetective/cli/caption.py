"""``omnidetective caption``: one clip, the caption on standard output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from omnidetective.cli.options import config_options, read_config


@click.command(short_help="Caption one clip and print the caption.")
@click.argument("clip")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record: evidence, events, transcript, cost.")
@config_options
def caption(clip: str, as_json: bool, **options: Any) -> None:
    """Caption one CLIP (a file or a URL) and print the caption.

    \b
    omnidetective caption clip.mp4
    omnidetective caption clip.mp4 --models openai --json
    """
    import asyncio

    from omnidetective.pipeline import Pipeline
    from omnidetective.records import CaptionRecord

    config = read_config(**options)
    local = "://" not in clip and not clip.startswith("data:")
    path = Path(clip).expanduser().resolve()
    row = {"path": str(path)} if local else {"url": clip}

    async def work() -> CaptionRecord:
        # A clip that the user names on the command line may be anywhere: naming it is the permission.
        async with Pipeline.from_config(config, base_dir=path.parent if local else None) as pipeline:
            return await pipeline.caption(row)

    record = asyncio.run(work())
    click.echo(record.to_line() if as_json else record.caption)
    if not as_json and record.quality.reasons:
        click.echo(f"{record.outcome}: {'; '.join(record.quality.reasons)}", err=True)
