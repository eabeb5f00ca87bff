"""A scripted judge on a socket for callers that are not asynchronous: its server has a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.bench import Reply
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says

from omnidetective.config import Config, load_config


def system_and_user(seen: Seen) -> tuple[str, str]:
    """The texts of a request with both."""
    texts = {message["role"]: message["content"] for message in seen.body["messages"]}
    system, user = (
        text if isinstance(text, str) else "".join(part["text"] for part in text)
        for text in (texts["system"], texts["user"])
    )
    return system, user


@contextmanager
def served(judge: Reply) -> Iterator[FaultyOpenAI]:
    """The judge's server, while it runs."""

    def script(seen: Seen) -> Behaviour:
        said = judge(*system_and_user(seen))
        return says(said) if isinstance(said, str) else said

    server = FaultyOpenAI(script)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(20)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


def judged_by(server: FaultyOpenAI, folder: Path, *overrides: str) -> Config:
    """The configuration whose judge is at a server; its key is in ``JUDGE_KEY``."""
    path = folder / "judge.yaml"
    path.write_text(
        "name: judge\ndescription: A judge at a scripted server.\n"
        f"models: {{j: {{provider: openai, model: test-model, base_url: {server.base_url}, api_key_env: JUDGE_KEY}}}}\n"
        "roles: {judge: j}\n"
    )
    return load_config(overrides=overrides, options={"models": str(path)}, environ={})
