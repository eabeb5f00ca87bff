"""The cast: which model plays each role, reached, retried and metered."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnidetective.errors import ConfigError, ObserverUnavailableError, OmnidetectiveError
from omnidetective.llm.base import ChatModel
from omnidetective.llm.cache import ResponseCache
from omnidetective.llm.cached import CachedChat, CachedTranscriber
from omnidetective.llm.capabilities import built_in_capabilities
from omnidetective.llm.endpoint import Endpoint, provider_name, resolve_endpoint, resolve_model
from omnidetective.llm.for_role import ChatForRole, TranscriberForRole
from omnidetective.llm.lanes import ModelLanes
from omnidetective.llm.metered import Metered
from omnidetective.llm.permits import Permits
from omnidetective.llm.prices import PriceTable, built_in_prices
from omnidetective.llm.retry import Retried
from omnidetective.model_sets import ModelSet, ModelSpec
from omnidetective.settings import LimitSettings, RetrySettings

if TYPE_CHECKING:
    from omnidetective.llm.openai_chat import OpenAIChat
    from omnidetective.llm.openai_client import OpenAIClient
    from omnidetective.llm.transcriber import Transcriber


@dataclass(frozen=True, slots=True)
class Probe:
    """What a look at a role's model has shown, without a paid call.

    Attributes:
        ready: ``None`` where nothing can be said for free.
        learnt: in words: what was seen, or what is wrong.
        reason: code of what is wrong; empty otherwise.
        hint: what to do about it.
    """

    role: str
    name: str
    ready: bool | None
    learnt: str
    reason: str = ""
    hint: str = ""


class Cast:
    """Who plays which role. One object a process; models that several roles share are made once.

    Args:
        cache: keeps answers of models that cost something; the cast closes it.
        permits: gives leave for each call of a model that is not in this process; ``None``: nobody is asked.
        limits: what the user knows of the models' limits, and the cap on the cost.
        prices: by default the built-in ones.
        environ: the environment, for tests.
    """

    def __init__(
        self,
        model_set: ModelSet,
        retry: RetrySettings,
        *,
        cache: ResponseCache | None = None,
        permits: Permits | None = None,
        limits: LimitSettings | None = None,
        prices: PriceTable | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._cache = cache
        self._permits = permits
        self._limits = limits or LimitSettings()
        self._prices = prices or built_in_prices()
        self._model_set = model_set
        self._retry = retry
        self._environ = os.environ if environ is None else environ
        self._chats: dict[str, ChatModel] = {}
        self._transcribers: dict[str, Transcriber] = {}
        self._clients: dict[Endpoint, OpenAIClient] = {}
        self._nameless: dict[str, OpenAIChat] = {}
        self._in_roles: dict[str, ChatModel] = {}

    def is_embedded(self, role: str) -> bool:
        """Whether the rules of the embedded cast play a role: it needs no chat model."""
        spec = self._model_set.spec(role)
        return spec is not None and spec.provider == "embedded"

    def require(self, role: str) -> None:
        """Refuse to begin with a role that nobody can play, before anything is paid for.

        Raises:
            ConfigError: with the reason, and the hint that mends it.
        """
        if self.is_embedded(role):
            return
        try:
            self.chat(role)
        except OmnidetectiveError as error:
            name = self._model_set.name
            raise ConfigError(
                f"the model set {name!r} cannot play the {role}: {error.message}", hint=error.hint
            ) from error

    def is_played(self, role: str) -> bool:
        """Whether the model set gives a role to anybody."""
        return self._model_set.spec(role) is not None

    def chat(self, role: str) -> ChatModel:
        """The chat model that plays a role, with retries and metering.

        Raises:
            ObserverUnavailableError: ``no_model``, ``no_key`` or ``no_address``, with the hint that mends it.
        """
        key, spec = self._spec(role)
        if key not in self._chats:
            self._chats[key] = self._wrap(self._make(key, spec), spec)
        if role not in self._in_roles:
            self._in_roles[role] = ChatForRole(self._chats[key], role)
        return self._in_roles[role]

    def transcriber(self, role: str = "asr") -> Transcriber:
        """The recogniser that plays a role, with retries and metering.

        Raises:
            ObserverUnavailableError: as :meth:`chat`.
        """
        key, spec = self._spec(role)
        from omnidetective.llm.transcribe import ChatTranscriber

        if key not in self._transcribers:
            made = self._make_transcriber(role, spec)
            if self._cache is not None and not isinstance(made, ChatTranscriber):
                host = resolve_endpoint(spec, self._environ).host
                made = CachedTranscriber(made, self._cache, host=host, parameters=spec.parameters)
            self._transcribers[key] = TranscriberForRole(made, role)
        return self._transcribers[key]

    def names(self) -> dict[str, str]:
        """Role → ``provider:model``; ``?`` for a model whose name the server has not been asked for yet."""
        return {role: self._name(key) for role, key in self._model_set.roles.items()}

    async def discover(self) -> None:
        """Asks the servers for the names of models that are not configured, of every role.

        Each model would ask at its first call; after this, their capabilities are known before any call. A server that
        does not answer is left for the calls to report.
        """
        for role, key in self._model_set.roles.items():
            spec = self._model_set.models[key]
            if spec.provider == "openai" and resolve_model(spec, self._environ) is None:
                with contextlib.suppress(OmnidetectiveError):
                    self.chat(role)
                    await self._nameless[key].discover()

    def unpriced(self, role: str) -> str | None:
        """The model of a role whose price is not known, as ``provider:model at host``; ``None`` where it is known.

        Raises:
            ObserverUnavailableError: nobody plays it, or its key or address is missing.
        """
        key, spec = self._spec(role, embedded=True)
        if spec.provider in ("embedded", "scripted"):
            return None
        host = resolve_endpoint(spec, self._environ).host
        name = self._name(key)
        return None if self._prices.find(name, host=host) is not None else f"{name} at {host}"

    async def probe(self, role: str) -> Probe:
        """Looks at a role's model without spending anything: the server's list of models, where it has one."""
        name = self.names().get(role, "nobody")
        try:
            _, spec = self._spec(role, embedded=True)
            if spec.provider in ("embedded", "scripted"):
                return Probe(role, name, True, "runs here")
            endpoint = resolve_endpoint(spec, self._environ)
            if spec.provider == "dashscope":
                return Probe(role, name, None, f"the key is set; nothing at {endpoint.host} can be asked for free")
            return await self._probe_endpoint(role, endpoint, spec)
        except OmnidetectiveError as error:
            if error.reason == "not_found":
                return Probe(role, name, None, "the server answers, but lists no models")
            return Probe(role, name, False, error.message, error.reason, error.hint)

    async def aclose(self) -> None:
        """Closes every connection. Safe to call twice."""
        for chat in self._chats.values():
            await chat.aclose()
        for client in self._clients.values():
            await client.aclose()
        if self._cache is not None:
            self._cache.close()

    def _spec(self, role: str, *, embedded: bool = False) -> tuple[str, ModelSpec]:
        spec = self._model_set.spec(role)
        if spec is None:
            raise ObserverUnavailableError(
                f"no model plays {role} in the model set {self._model_set.name}",
                reason="no_model",
                hint="add the role to the model set, or choose another set with --models",
            )
        if spec.provider == "embedded" and not embedded:
            raise ObserverUnavailableError(
                f"{role} is played by the embedded cast, which is no chat model",
                reason="no_model",
                hint="choose a model set with --models dashscope|openai|vllm",
            )
        return self._model_set.key(role), spec

    def _make(self, key: str, spec: ModelSpec) -> ChatModel:
        if spec.provider == "scripted":
            return _scripted(spec)
        endpoint = resolve_endpoint(spec, self._environ)
        model = resolve_model(spec, self._environ)
        if spec.provider == "dashscope":
            from omnidetective.llm.dashscope_chat import DashScopeChat

            if model is None:
                raise ConfigError(
                    "a model of the provider dashscope needs its name", hint="set `model` in the model set"
                )
            return DashScopeChat(
                endpoint,
                model=model,
                call_timeout_s=self._retry.call_timeout_s,
                overrides=spec.capabilities,
                parameters=spec.parameters,
            )
        from omnidetective.llm.openai_chat import OpenAIChat

        chat = OpenAIChat(
            self._client(endpoint),
            provider=provider_name(spec, self._environ),
            model=model,
            overrides=spec.capabilities,
            parameters=spec.parameters,
        )
        if model is None:
            self._nameless[key] = chat
        return chat

    def _make_transcriber(self, role: str, spec: ModelSpec) -> Transcriber:
        from omnidetective.llm.transcribe import ChatTranscriber, EndpointTranscriber

        name = self._name_of(spec)
        capabilities = built_in_capabilities().of(name, spec.capabilities)
        native = spec.provider == "dashscope" and capabilities.native_transcription is not None
        if capabilities.chat_transcription or not (native or spec.provider == "openai"):
            return ChatTranscriber(self.chat(role))
        endpoint = resolve_endpoint(spec, self._environ)
        if resolve_model(spec, self._environ) is None:
            raise ConfigError(f"the model that plays {role} needs its name", hint="set `model` in the model set")
        from omnidetective.llm.dashscope_asr import DashScopeTranscriber

        return (DashScopeTranscriber if native else EndpointTranscriber)(
            self._client(endpoint),
            name=name,
            capabilities=capabilities,
            retry=self._retry,
            price_of=lambda model: self._prices.find(model, host=endpoint.host),
            lanes=self._lanes(spec, endpoint),
            parameters=spec.parameters,
        )

    def _wrap(self, model: ChatModel, spec: ModelSpec) -> ChatModel:
        remote = spec.provider in ("openai", "dashscope")
        endpoint = resolve_endpoint(spec, self._environ) if remote else None
        host = endpoint.host if endpoint is not None else ""
        metered = Metered(model, lambda name: self._prices.find(name, host=host))
        lanes = self._lanes(spec, endpoint) if endpoint is not None else None
        retried = Retried(metered, self._retry, lanes=lanes)
        if self._cache is None or not remote:
            return retried
        return CachedChat(retried, self._cache, host=host, parameters=spec.parameters)

    def _lanes(self, spec: ModelSpec, endpoint: Endpoint) -> ModelLanes | None:
        if self._permits is None:
            return None
        return ModelLanes(
            self._permits,
            endpoint,
            spec=spec.limits,
            settings=self._limits,
            price_of=lambda name: self._prices.find(name, host=endpoint.host),
            parameters=spec.parameters,
        )

    def _client(self, endpoint: Endpoint) -> OpenAIClient:
        from omnidetective.llm.openai_client import OpenAIClient

        if endpoint not in self._clients:
            self._clients[endpoint] = OpenAIClient(endpoint, call_timeout_s=self._retry.call_timeout_s)
        return self._clients[endpoint]

    def _name(self, key: str) -> str:
        return self._chats[key].name if key in self._chats else self._name_of(self._model_set.models[key])

    def _name_of(self, spec: ModelSpec) -> str:
        model = resolve_model(spec, self._environ) or ("script" if spec.provider == "scripted" else "?")
        return f"{provider_name(spec, self._environ)}:{model}"

    async def _probe_endpoint(self, role: str, endpoint: Endpoint, spec: ModelSpec) -> Probe:
        models = await self._client(endpoint).models()
        model = resolve_model(spec, self._environ)
        name = f"{provider_name(spec, self._environ)}:{model or (models[0] if models else '?')}"
        if model is None and not models:
            return Probe(
                role, name, False, f"{endpoint.host} lists no model", "missing_model", "name it in the model set"
            )
        if model is None or model in models:
            return Probe(role, name, True, f"{endpoint.host} serves it")
        if not models:
            return Probe(role, name, None, f"{endpoint.host} answers, but lists no models")
        # Lists are often shorter than what is served, so this is a doubt and no error.
        return Probe(role, name, None, f"{endpoint.host} answers, but its list of {len(models)} models lacks {model}")


def _scripted(spec: ModelSpec) -> ChatModel:
    from omnidetective.llm.scripted import EVERYTHING, ScriptedChat, read_script

    if spec.replies is None:
        raise ConfigError("a scripted model needs its replies", hint="set `replies` to a JSONL file in the model set")
    capabilities = EVERYTHING
    if spec.capabilities:
        whole = {**EVERYTHING.model_dump(), **spec.capabilities}
        capabilities = built_in_capabilities().of("scripted:", whole)
    return ScriptedChat(read_script(spec.replies), model=spec.model or "script", capabilities=capabilities)
