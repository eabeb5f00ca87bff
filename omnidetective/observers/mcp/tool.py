"""One tool of an MCP server as an observer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from omnidetective.evidence import Span
from omnidetective.media.clip import Clip
from omnidetective.observers.base import ObserverSpec, observation
from omnidetective.observers.mcp.arguments import Plan
from omnidetective.observers.mcp.masking import Mask
from omnidetective.observers.mcp.material import material
from omnidetective.observers.mcp.results import read_result
from omnidetective.observers.mcp.schema import check_arguments
from omnidetective.records import Observation

if TYPE_CHECKING:
    from mcp_types import Tool

    from omnidetective.observers.base import Observer
    from omnidetective.observers.mcp.session import Server


class McpTool:
    """Asks a tool of a server. ``tool_observer`` makes one: each tool has a spec of its own, so a class of its own."""

    spec: ClassVar[ObserverSpec]

    def __init__(self, tool: Tool, plan: Plan, server: Server, mask: Mask) -> None:
        self._tool = tool
        self._plan = plan
        self._server = server
        self._mask = mask

    async def observe(self, clip: Clip, question: str, span: Span | None) -> Observation:
        """Call the tool. What it was shown of the clip, where that is not all, is said after its answer."""
        async with material(self._plan, clip, question, span) as given:
            arguments = self._plan.arguments(given.values, whole=given.whole)
            check_arguments(self._tool.input_schema, arguments)
            result = await self._server.call(self._tool.name, arguments)
        answer, data = read_result(result, self._mask)
        return observation(
            self.spec, question, span, answer=f"{answer}\n({given.remark})" if given.remark else answer, data=data
        )


def tool_observer(spec: ObserverSpec, tool: Tool, plan: Plan, server: Server, mask: Mask) -> Observer:
    """The observer of a tool."""
    made: type[McpTool] = type("McpTool", (McpTool,), {"spec": spec, "__doc__": McpTool.__doc__})
    return made(tool, plan, server, mask)
