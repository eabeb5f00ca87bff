"""How a tool is described to the detective: what the server says of it, as a quotation, and how to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnidetective.observers.base import ObserverSpec
from omnidetective.observers.mcp.arguments import Plan
from omnidetective.observers.mcp.masking import Mask, one_line
from omnidetective.observers.mcp.placeholders import FILES
from omnidetective.observers.mcp.settings import McpSettings

if TYPE_CHECKING:
    from mcp_types import Tool

_MAX_QUOTED_CHARS = 500


def tool_spec(name: str, tool: Tool, plan: Plan | None, settings: McpSettings, mask: Mask) -> ObserverSpec:
    """The spec of an observer. A server's text is quoted: it describes, and instructs nobody.

    Args:
        plan: how it is called; ``None`` where it cannot be.
    """
    said = mask(one_line(tool.description or tool.title or "", _MAX_QUOTED_CHARS))
    for mark in "«»":
        said = said.replace(mark, '"')
    sentences = [
        f"A tool of an MCP server, {one_line(tool.name, 80)}, which says of itself: «{said}»."
        if said
        else f"A tool of an MCP server, {one_line(tool.name, 80)}, which does not say what it does.",
        *(_how_to_ask(plan) if plan is not None else ()),
        "Its answers are claims." if settings.kind == "witness" else "",
    ]
    return ObserverSpec(
        name=name,
        kind=settings.kind,
        modalities=settings.modalities or (Plan(()) if plan is None else plan).modalities,
        needs="any" if plan is None else plan.stream,
        description=" ".join(sentence for sentence in sentences if sentence),
        attributes=settings.attributes,
        settings=McpSettings,
        cost="one call of an MCP server",
    )


def _how_to_ask(plan: Plan) -> tuple[str, str]:
    asking = "Ask in plain words." if "question" in plan.uses else "It takes no question: it always does the same."
    return asking, _about_spans(plan)


def _about_spans(plan: Plan) -> str:
    if plan.takes_times:
        return "It can be told a span."
    if plan.uses & {"frame_path", "frame_base64"}:
        return "It sees one picture, from the middle of the span."
    if plan.uses & (FILES | {"audio_base64"}):
        return "With a span it is given a cut, and counts times from the start of the span."
    return "It knows the clip by its URL, whole." if "url" in plan.uses else "It sees nothing of the clip."
