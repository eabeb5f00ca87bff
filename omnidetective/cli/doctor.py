"""``omnidetective doctor``: what works here, and what to do about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from omnidetective.cli.options import config_options, read_config

if TYPE_CHECKING:
    from omnidetective.config import Config
    from omnidetective.llm.cast import Cast, Probe
    from omnidetective.observers.registry import ToolBox

_GOOD, _UNSURE, _BAD = ("ok", "green"), ("?", "yellow"), ("--", "red")


@click.command(short_help="Say what works here, and what to do about the rest.")
@click.option("--offline", is_flag=True, help="Do not contact the model servers.")
@config_options
def doctor(offline: bool, **options: Any) -> None:
    """Say what is installed, which keys are set, what each role would use, and what to do about the rest.

    Model servers are asked for their list of models, which costs nothing; no model is called. Ends with 0 when `run`
    would work with these options, with 1 when it would not.
    """
    import asyncio

    config = read_config(**options)
    _head("This program")
    works = _program()
    _head("Weights of the embedded cast")
    _weights()
    _head(f"Model set {config.model_set.name}: {config.model_set.description}")
    works = asyncio.run(_model_set(config, offline=offline)) and works
    _head("Other model sets")
    _other_sets(config)
    click.echo()
    click.echo("`omnidetective run` would work." if works else "`omnidetective run` would not work: see above.")
    click.get_current_context().exit(0 if works else 1)


def _head(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _line(state: tuple[str, str], what: str, note: str = "", hint: str = "") -> None:
    mark = click.style(state[0].rjust(2), fg=state[1])
    click.echo(f"  {mark}  {what.ljust(18)} {note}".rstrip())
    if hint:
        click.echo(f"      {' ' * 18} {hint}")


def _program() -> bool:
    import platform

    import omnidetective
    from omnidetective.errors import OmnidetectiveError
    from omnidetective.media.ffmpeg import find_ffmpeg

    _line(_GOOD, "omnidetective", f"{omnidetective.__version__}, Python {platform.python_version()}")
    try:
        _line(_GOOD, "ffmpeg", find_ffmpeg())
    except OmnidetectiveError as error:
        _line(_BAD, "ffmpeg", error.message, error.hint)
        return False
    return True


def _weights() -> None:
    from omnidetective.embedded.weights import WeightStore
    from omnidetective.errors import ObserverUnavailableError

    store = WeightStore()
    for item in store.catalogue:
        note = f"{item.description} (optional)" if item.optional else item.description
        try:
            store.find(item.name)
            _line(_GOOD, item.name, note)
        except ObserverUnavailableError as error:
            _line(_UNSURE if item.optional else _BAD, item.name, error.message, error.hint)


async def _model_set(config: Config, *, offline: bool) -> bool:
    from omnidetective.llm.cast import Cast
    from omnidetective.observers.base import ObserverContext
    from omnidetective.observers.registry import ToolBox
    from omnidetective.prompts import PromptLibrary

    cast = Cast(config.model_set, config.settings.retry)
    try:
        detective_works = True
        for role in config.model_set.roles:
            probe = await _probe(cast, role, offline=offline)
            _line(_GOOD if probe.ready else _UNSURE if probe.ready is None else _BAD, role, _note(probe), probe.hint)
            if role == "detective" and probe.ready is False:
                detective_works = False
        if not offline:
            await cast.discover()
        prompts = PromptLibrary(config.settings.prompts)
        box = ToolBox(ObserverContext(cast, config.model_set, prompts, config.settings))
        box.close()
    finally:
        await cast.aclose()
    _head("Observers")
    _observers(box)
    return _named_observers_work(box, config) and detective_works and bool(box.observers)


def _named_observers_work(box: ToolBox, config: Config) -> bool:
    from omnidetective.errors import ConfigError

    try:
        box.require_named(config.sources)
    except ConfigError as error:
        click.echo(f"      {error.message}")
        return False
    return True


async def _probe(cast: Cast, role: str, *, offline: bool) -> Probe:
    from omnidetective.errors import ObserverUnavailableError
    from omnidetective.llm.cast import Probe

    if not offline or cast.is_embedded(role):
        return await cast.probe(role)
    name = cast.names()[role]
    try:
        cast.chat(role)
    except ObserverUnavailableError as error:
        return Probe(role, name, False, error.message, error.reason, error.hint)
    return Probe(role, name, None, "not contacted")


def _note(probe: Probe) -> str:
    return f"{probe.name}: {probe.learnt}"


def _observers(box: ToolBox) -> None:
    for row in box.listings:
        why = box.unavailable.get(row.name)
        kind = f"{row.spec.kind}, {row.origin}" if row.spec else row.origin
        if why is None:
            _line(_BAD if row.problem else _GOOD, row.name, row.problem or kind)
        else:
            _line(_UNSURE if why.expected else _BAD, row.name, why.message, why.hint)


def _other_sets(config: Config) -> None:
    import os

    from omnidetective.config import load_model_set, names

    for name in names("models"):
        if name == config.model_set.name:
            continue
        model_set = load_model_set(name)
        missing = [variable for variable in model_set.needs_env if not os.environ.get(variable)]
        if missing:
            _line(_UNSURE, name, model_set.description, f"export {missing[0]}=…, then --models {name}")
        else:
            _line(_GOOD, name, model_set.description, f"its keys are set: --models {name}")
