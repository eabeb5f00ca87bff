"""What the user may write about an MCP server, and what is said where it is wrong."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from observers.mcp.conftest import Opened, stdio

from omnidetective.config import load_config
from omnidetective.errors import ConfigError, ObserverUnavailableError
from omnidetective.observers.mcp.settings import is_mcp, read_mcp_settings


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mcp": {"comand": ["x"]}}, "unknown key observers.box.mcp.comand; did you mean command?"),
        ({"mcp": {"command": ["x"]}, "tool": ["y"]}, "unknown key observers.box.tool; did you mean tools?"),
        ({"mcp": {}}, "observers.box.mcp: either command or url is needed"),
        ({"mcp": {"command": ["x"], "url": "http://localhost/mcp"}}, "either command or url is needed"),
        ({"mcp": {"command": []}}, "observers.box.mcp.command: "),
        ({"mcp": {"url": "localhost:80"}}, "begins with http:// or https://"),
        ({"mcp": {"url": "http://me:canary@localhost/mcp"}}, "use headers_env"),
        ({"mcp": {"url": "http://localhost/mcp", "env": ["A"]}}, "env and cwd are for a server that is started"),
        ({"mcp": {"command": ["x"], "headers_env": {"A": "B"}}}, "headers_env is for a server with a url"),
        ({"mcp": {"command": ["x"], "env": ["A=canary"]}}, "observers.box.mcp.env.0: "),
        ({"mcp": {"command": ["x"]}, "kind": "judge"}, "observers.box.kind: "),
        (
            {"mcp": {"command": ["x"]}, "arguments": {"t": {"p": "{paht}"}}},
            "observers.box.arguments: unknown placeholder {paht}; did you mean {path}?",
        ),
        ({"mcp": {"command": ["x"]}, "arguments": {"t": {"p": ["{start_s:.2f}"]}}}, "neither a format"),
        ({"mcp": {"command": ["x"]}, "arguments": {"t": {"p": {"path": None}}}}, 'write "{path}" in quotes'),
        ({"mcp": {"command": ["x"]}, "arguments": {"t": {"p": "{path"}}}, "observers.box.arguments: "),
    ],
)
def test_mistakes_are_told_with_their_key(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_mcp_settings("box", values)
    assert said in str(error.value)
    assert "canary" not in str(error.value)


def test_what_the_command_line_says_is_read() -> None:
    config = load_config(
        overrides=[
            "observers.ears.mcp={command: [python, server.py], env: [EARS_KEY], cwd: /srv}",
            'observers.ears.arguments={hear: {file: "{path}", at: "{start_s}"}}',
            "observers.ears.timeout_s=20",
        ],
        environ={},
    )
    values = config.settings.observers["ears"]
    assert is_mcp(values)
    assert not is_mcp(config.settings.observers.get("asr", {}))
    settings = read_mcp_settings("ears", values)
    assert settings.mcp.command == ("python", "server.py")
    assert settings.mcp.env == ("EARS_KEY",)
    assert settings.arguments == {"hear": {"file": "{path}", "at": "{start_s}"}}
    assert settings.timeout_s == 20


async def test_a_missing_package_is_told_with_the_command_that_installs_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("session", "stdio", "http"):
        monkeypatch.delitem(sys.modules, f"omnidetective.observers.mcp.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)  # What Python takes for a module that is not there.
    with pytest.raises(ObserverUnavailableError) as missing:
        await opened(mcp=stdio("mcp_tools.py", "well"))
    assert missing.value.reason == "not_installed"
    assert missing.value.hint == "pip install 'omnidetective[mcp]'"
