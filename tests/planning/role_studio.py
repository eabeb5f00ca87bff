"""A cast in which each role is a model of its own, so that a server can tell whom a request was for."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import sys
from collections import Counter
from pathlib import Path

import yaml
from e2e.test_fault_matrix import ATTRIBUTES, CAPTION
from e2e.test_model_sets import _said_by_others, studio
from servers.faulty_openai import Behaviour, FaultyOpenAI, Seen, says

TEXT_ROLES = ("detective", "integrator", "verifier", "auditor", "refiner", "judge")
MEDIA_ROLES = ("audio_llm", "frame_captioner", "omni_llm")
KEY = "sk-canary-f0cec457"


def cast_by_role(folder: Path) -> str:
    """A model set whose models have the names of their roles; those of the audit and of the media see and hear."""
    models = {
        role: {
            "provider": "openai",
            "model": role,
            "base_url_env": "STUDIO_BASE_URL",
            "api_key_env": "STUDIO_API_KEY",
            "capabilities": {"images": True, "audio": True} if role in (*MEDIA_ROLES, "auditor", "integrator") else {},
        }
        for role in (*TEXT_ROLES, *MEDIA_ROLES)
    }
    file = folder / "by-role.yaml"
    roles = {role: role for role in models}
    file.write_text(yaml.safe_dump({"name": "by-role", "description": "", "models": models, "roles": roles}))
    return str(file)


def asked(server: FaultyOpenAI) -> Counter[str]:
    """Role → requests that came."""
    return Counter(str(seen.body.get("model")) for seen in server.seen)


def plays(seen: Seen) -> Behaviour:
    """The studio, with captions that stay in the part of the clip that is asked about, and an auditor that can be
    asked about one attribute at a time."""
    if about_one_attribute(seen):
        return says(json.dumps({"errors": [], "missing": [], "expressiveness": []}))
    told = said(seen)
    if "You are a detective" in told:
        return studio(seen)
    return says(_said_by_others(json.dumps(seen.body["messages"])).replace(CAPTION, caption_of(told)))


def said(seen: Seen) -> str:
    """The words of a request."""
    contents = [message.get("content") or "" for message in seen.body["messages"]]
    parts = [part for c in contents for part in ([{"type": "text", "text": c}] if isinstance(c, str) else c)]
    return "\n".join(part["text"] for part in parts if part["type"] == "text")


def caption_of(told: str) -> str:
    """The caption of the part that a request is about: the one it shows, else one with an anchor of that part."""
    if part := re.search(r'"part_s": \[([\d.]+), [\d.]+\]}', told) or re.search(r"the seconds ([\d.]+) to", told):
        return CAPTION.replace("0s", f"{math.ceil(float(part[1]))}s")
    shown = re.findall(r"At \d+s, coloured bars are shown while a tone sounds\.", told)
    return str(shown[-1]) if shown else CAPTION


def about_one_attribute(seen: Seen) -> bool:
    form = seen.body.get("response_format", {}).get("json_schema", {})
    return bool(form.get("name") == "AttributeFindings")


class Troubled:
    """The studio on a bad day: faults are found, versions are sent back, and every first answer is prose.

    ``repaired`` counts the answers that had to be asked for again.
    """

    def __init__(self) -> None:
        self.repaired = 0

    def __call__(self, seen: Seen) -> Behaviour:
        messages = json.dumps(seen.body["messages"])
        form = "response_format" in seen.body or "JSON Schema" in messages
        if form and "You are a detective" not in messages and "cannot be used" not in messages:
            self.repaired += 1
            return says("I would rather talk about the weather.")
        if "You are the auditor" in messages:
            error = {"snippet": "coloured bars", "why": "The bars are grey.", "evidence": []}
            found = {a: {"errors": [error], "missing": [], "expressiveness": []} for a in ATTRIBUTES}
            return says(json.dumps(found["scene"] if about_one_attribute(seen) else found))
        if "find where two of their reports" in messages:
            point = {"what": "One says bars, one says none.", "observations": ["o1", "o2", "ao1"],
                     "question": "What is there?"}  # fmt: skip
            return says(json.dumps({"contradictions": [point]}))
        if "You mend captions" in messages:
            mended = CAPTION.replace("coloured", "grey") if "sent back" in messages else f"{CAPTION} Elephants march."
            return says(json.dumps({"improved_caption": mended}))
        if "You take captions apart" in messages:
            return says(json.dumps({"scene": "At 1s, 99 elephants march by."}))
        return plays(seen)


async def omnidetective(*arguments: str, cwd: Path, base_url: str = "", key: str = KEY) -> tuple[int, str, str]:
    """Exit status, what was printed, and what was said beside it."""
    env = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL"))}
    env |= {"STUDIO_API_KEY": key} if key else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "omnidetective", *arguments,
        cwd=cwd, env={**env, "STUDIO_BASE_URL": base_url or "http://127.0.0.1:9/v1"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, printed.decode(), said.decode()
