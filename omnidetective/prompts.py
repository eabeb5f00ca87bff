"""The one loader of prompts: files with declared inputs, strictly rendered, fingerprinted in every record.

A prompt is a file ``prompts/<folder>/<name>.md``: YAML front matter between two ``---`` lines, then a Jinja template::

    ---
    version: 1
    role: detective
    description: What the detective is told before the first question.
    inputs:
      duration_s: length of the clip in seconds
    ---
    You investigate one clip of {{ duration_s }} s …

Its name is its path without the suffix (``detective/system``). A folder given by ``--prompts`` replaces files of the
same name, and may bring prompts of its own for agents of domains, in ``capflow/``. The Jinja environment is sandboxed
and strict: a variable that is missing or not declared is an error, and what is put in is never read as a template.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from omnidetective.domains import AGENT_INPUTS, FOLDER
from omnidetective.errors import PromptError
from omnidetective.nearest import did_you_mean
from omnidetective.resources import resource_root

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


_used: ContextVar[dict[str, str] | None] = ContextVar("omnidetective_prompts_used", default=None)


@contextmanager
def prompts_used(into: dict[str, str]) -> Iterator[None]:
    """Note the name and fingerprint of every prompt rendered inside, also in tasks started there."""
    token = _used.set(into)
    try:
        yield
    finally:
        _used.reset(token)


class _FrontMatter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    role: str
    description: str
    inputs: dict[str, str] = {}
    output: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class Prompt:
    """One prompt file.

    Attributes:
        name: path below the prompts folder, without suffix.
        inputs: variable → what it is.
        output: JSON Schema of the answer, where a form is asked for.
        path: the file it came from.
    """

    name: str
    version: int
    role: str
    description: str
    inputs: Mapping[str, str]
    output: dict[str, JsonValue] | None
    text: str
    path: Path

    @cached_property
    def fingerprint(self) -> str:
        """``version+sha`` of what is rendered and of the form asked for, as kept in records."""
        body = f"{self.text}\0{self.output!r}"
        return f"{self.version}+{hashlib.sha256(body.encode()).hexdigest()[:12]}"

    @cached_property
    def _template(self) -> Template:
        return _ENVIRONMENT.from_string(self.text)

    def render(self, **variables: Any) -> str:
        """The prompt with its variables filled in.

        Raises:
            PromptError: a declared variable is missing, an undeclared one was given, or the template fails.
        """
        missing = sorted(set(self.inputs) - set(variables))
        unknown = sorted(set(variables) - set(self.inputs))
        if missing or unknown:
            parts = [f"needs {', '.join(missing)}"] * bool(missing)
            parts += [f"does not take {', '.join(unknown)}"] * bool(unknown)
            raise PromptError(f"prompt {self.name} ({self.path}) {' and '.join(parts)}")
        if (used := _used.get()) is not None:
            used[self.name] = self.fingerprint
        try:
            return self._template.render(**variables).strip()
        except TemplateError as error:
            raise PromptError(f"prompt {self.name} ({self.path}) cannot be rendered: {error}") from error


class PromptLibrary:
    """All prompts: the built-in ones, with those of ``overlay`` in place of the same names.

    Attributes:
        added: names of the agents' prompts that are the overlay's own.
    """

    def __init__(self, overlay: Path | None = None) -> None:
        """Read the overlay; a built-in prompt is read when it is asked for.

        Raises:
            PromptError: the overlay is no folder, or a file of it is broken, has a name that does not exist, or asks
                for what it is not given.
        """
        base = resource_root() / "prompts"
        self._files = {_name(path, base): path for path in sorted(base.rglob("*.md"))}
        self._prompts: dict[str, Prompt] = {}
        self.added: frozenset[str] = frozenset()
        if overlay is not None:
            if not overlay.is_dir():
                raise PromptError(f"--prompts: {overlay} is not a folder")
            for path in sorted(overlay.rglob("*.md")):
                prompt = read_prompt(path, _name(path, overlay))
                given = self._given(prompt)
                if missing := sorted(set(prompt.inputs) - set(given)):
                    raise PromptError(f"{prompt.path} asks for {', '.join(missing)}, which {prompt.name} is not given")
                # It may leave out what it does not need, and is still handed everything.
                self._prompts[prompt.name] = replace(prompt, inputs=given)
            self.added = frozenset(self._prompts.keys() - self._files.keys())
            self._files |= {name: prompt.path for name, prompt in self._prompts.items()}

    def _given(self, prompt: Prompt) -> Mapping[str, str]:
        """The inputs that a prompt of the overlay is handed."""
        if prompt.name in self._files:
            return read_prompt(self._files[prompt.name], prompt.name).inputs
        if prompt.name.startswith(f"{FOLDER}/"):
            return AGENT_INPUTS
        raise PromptError(
            f"{prompt.path} replaces no prompt: there is none named {prompt.name!r}"
            f"{did_you_mean(prompt.name, self._files)}"
        )

    def __iter__(self) -> Iterator[Prompt]:
        return iter([self.get(name) for name in sorted(self._files)])

    def get(self, name: str) -> Prompt:
        """A prompt by name.

        Raises:
            PromptError: there is none.
        """
        if name not in self._files:
            raise PromptError(
                f"there is no prompt {name!r}{did_you_mean(name, self._files)}",
                hint="`omnidetective prompts list` names them",
            )
        if name not in self._prompts:
            self._prompts[name] = read_prompt(self._files[name], name)
        return self._prompts[name]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def read_prompt(path: Path, name: str) -> Prompt:
    """Read one prompt file.

    Raises:
        PromptError: no front matter, an unknown key, or a template whose variables are not the declared inputs.
    """
    try:
        _, front, text = path.read_text(encoding="utf-8").split("---\n", 2)
        data = _FrontMatter.model_validate(yaml.safe_load(front))
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    except (OSError, UnicodeDecodeError, ValueError, ValidationError, yaml.YAMLError, TemplateError) as error:
        raise PromptError(f"prompt file {path} is broken: {error}") from error
    if undeclared := sorted(used - set(data.inputs)):
        raise PromptError(f"prompt file {path} uses {', '.join(undeclared)} without declaring it under inputs")
    return Prompt(name, data.version, data.role, data.description, data.inputs, data.output, text, path)
