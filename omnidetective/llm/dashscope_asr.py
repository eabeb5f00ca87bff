"""DashScope's own recognisers, which give the times of words, and tell speakers apart where they can.

Two ways, by the model (``native_transcription`` in configs/capabilities.yaml):

* ``inline`` (fun-asr-flash, qwen-audio-…-asr-flash): one call that holds up to five minutes of sound. Its answer is
  streamed, since only the stream tells of every sentence.
* ``task`` (fun-asr, paraformer-v2, …-filetrans): a task about a file of up to twelve hours. The sound goes into
  DashScope's temporary store, where only the caller's key reaches it: nothing is made public.

A task is paid for once. It is looked after until it ends; what is tried again is the asking, not the task.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp

from omnidetective.errors import BadRequestError, ProviderError, TransientError
from omnidetective.evidence import SpeechEvidence
from omnidetective.llm.admission import Admission
from omnidetective.llm.base import Capabilities
from omnidetective.llm.calls import Call
from omnidetective.llm.capabilities import check
from omnidetective.llm.dashscope_spoken import Sentences, holds_transcript, says_nothing, speech_of_result
from omnidetective.llm.dashscope_upload import upload
from omnidetective.llm.dashscope_wire import data_uri
from omnidetective.llm.digest import sound_digest
from omnidetective.llm.lanes import ModelLanes
from omnidetective.llm.messages import AudioPart, ChatRequest, Message
from omnidetective.llm.openai_client import OpenAIClient
from omnidetective.llm.openai_outcomes import ErrorFacts, error_of, read_error
from omnidetective.llm.prices import Price
from omnidetective.llm.retry import with_retries
from omnidetective.llm.server_sent_events import EventParser
from omnidetective.llm.sound_account import SoundAccount
from omnidetective.llm.surroundings import certificate_authorities
from omnidetective.llm.transcribe import Hearing, hearing_of
from omnidetective.llm.usage import count_call, count_failed_attempt
from omnidetective.settings import RetrySettings

T = TypeVar("T")

_CALL_PATH = "/services/aigc/multimodal-generation/generation"
_TASK_PATH = "/services/audio/asr/transcription"
_FIRST_LOOK_S, _LONGEST_WAIT_S = 1.0, 10.0
"""A task is looked at soon, then ever more seldom: DashScope allows 20 looks a second for all that a key does."""
_MOST_RESULT_BYTES = 64_000_000


class DashScopeTranscriber:
    """A recogniser behind DashScope's native interface; retried and metered.

    Args:
        client: at the native address.
        name: ``dashscope:model``.
    """

    def __init__(
        self,
        client: OpenAIClient,
        *,
        name: str,
        capabilities: Capabilities,
        retry: RetrySettings,
        price_of: Callable[[str], Price | None],
        lanes: ModelLanes | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        assert capabilities.native_transcription is not None
        self._client = client
        self._name = name
        self._model = name.partition(":")[2]
        self._capabilities = capabilities.model_copy(update={"text_prompt": True})
        self._retry = retry
        self._account = SoundAccount(name, price_of, lanes)
        self._parameters = dict(parameters or {})

    @property
    def name(self) -> str:
        return self._name

    @property
    def hearing(self) -> Hearing:
        return hearing_of(self._capabilities)

    async def transcribe(self, audio: AudioPart, *, language: str | None = None) -> SpeechEvidence:
        """See :class:`~omnidetective.llm.transcribe.Transcriber`."""
        check(ChatRequest(messages=(Message.of("user", audio),)), self._capabilities, model=self._name)
        with Call(self._name, "transcription", partial(sound_digest, audio)):
            try:
                if self._capabilities.native_transcription == "inline":
                    return await self._by_call(audio, language)
                return await self._by_task(audio, language)
            except BadRequestError as error:
                if not says_nothing(error):
                    raise
                count_call(self._name, tokens=None, cost_usd=Decimal(0), reported=True)
                return SpeechEvidence(segments=(), language=language)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _by_call(self, audio: AudioPart, language: str | None) -> SpeechEvidence:
        events = await self._tried(partial(self._call, audio, language), self._account.admission(audio))
        assert isinstance(events, list)
        sentences = Sentences()
        for event in events:
            sentences.add(event)
        self._account.count(events[-1], audio.duration_s)
        return sentences.speech(audio.duration_s, language)

    async def _by_task(self, audio: AudioPart, language: str | None) -> SpeechEvidence:
        task = await self._tried(partial(self._begin, audio, language), self._account.admission(audio))
        ended, address = await self._followed(str(task))
        self._account.count(ended, audio.duration_s)
        result = await self._tried(partial(self._fetch, address))
        return speech_of_result(result, audio.duration_s, language=language)

    async def _tried(
        self, attempt: Callable[[], Awaitable[object]], admission: Admission[object] | None = None
    ) -> object:
        async def counted() -> object:
            try:
                return await attempt()
            except BaseException as error:
                if not says_nothing(error):
                    count_failed_attempt(self._name)
                raise

        return await with_retries(self._name, counted, self._retry, admission=admission)

    async def _call(self, audio: AudioPart, language: str | None) -> list[Mapping[str, Any]]:
        content = [{"type": "input_audio", "input_audio": {"data": data_uri(audio)}}]
        parameters = {**self._parameters, "format": audio.format, **_language_hints(language)}
        body = {
            "model": self._model,
            "input": {"messages": [{"role": "user", "content": content}]},
            "parameters": parameters,
        }
        answer = await self._post(_CALL_PATH, body, {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"})
        events = self._events(answer)
        if not any(holds_transcript(event) for event in events):
            raise self._broken("the answer is no transcript")
        return events

    def _events(self, answer: object) -> list[Mapping[str, Any]]:
        try:
            # Two line ends close the last event, where the server left them out.
            data = EventParser().feed(answer.encode() + b"\n\n") if isinstance(answer, str) else ()
            events: list[object] = [json.loads(event) for event in data if event.strip()] or [answer]
        except ValueError:
            raise self._broken("the answer is broken JSON") from None
        for event in events:
            if not isinstance(event, Mapping) or event.get("code"):
                raise error_of(read_error(event), endpoint=self._client.endpoint, model=self._name)
        return [event for event in events if isinstance(event, Mapping)]

    async def _begin(self, audio: AudioPart, language: str | None) -> str:
        """Upload the sound, and submit a task about it."""
        address = await self._upload(audio)
        if self._model.startswith("qwen3-asr"):
            given: dict[str, Any] = {"file_url": address}
            parameters: dict[str, Any] = {"enable_words": True, **({"language": language} if language else {})}
        else:
            given = {"file_urls": [address]}
            parameters = _language_hints(language)
        if self._capabilities.speakers:
            parameters["diarization_enabled"] = True
        body = {
            "model": self._model,
            "input": given,
            "parameters": {"channel_id": [0], **parameters, **self._parameters},
        }
        headers = {"X-DashScope-Async": "enable", "X-DashScope-OssResourceResolve": "enable"}
        task = _output(await self._post(_TASK_PATH, body, headers)).get("task_id")
        if not isinstance(task, str) or not task:
            raise self._broken("no task was begun")
        return task

    async def _followed(self, task: str) -> tuple[object, str]:
        """What is told of a task when it has ended, and the address of its result."""
        look = partial(self._client.get, f"/tasks/{quote(task, safe='')}", model=self._name)
        wait_s = _FIRST_LOOK_S
        while True:
            answer = await self._tried(look)
            output = _output(answer)
            results = output.get("results")
            result = results[0] if isinstance(results, list) and results else output.get("result")
            told: Mapping[str, Any] = result if isinstance(result, Mapping) else {}
            status, address = output.get("task_status"), told.get("transcription_url")
            if status == "SUCCEEDED" and isinstance(address, str):
                return answer, address
            if status not in ("PENDING", "RUNNING"):
                failed = {key: told.get(key) or output.get(key) for key in ("code", "message")}
                raise error_of(read_error(failed), endpoint=self._client.endpoint, model=self._name, status=400)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _LONGEST_WAIT_S)

    def _broken(self, what: str) -> TransientError:
        return TransientError(f"{self._name}: {what}", reason="bad_response", status=200)

    async def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> object:
        return await self._client.post(path, json.dumps(body).encode(), model=self._name, headers=headers)

    async def _upload(self, audio: AudioPart) -> str:
        endpoint = self._client.endpoint
        async with self._session() as session:
            return await self._reached(
                upload(
                    audio,
                    session=session,
                    endpoint=endpoint,
                    model=self._model,
                    timeout_s=self._retry.call_timeout_s,
                )
            )

    async def _fetch(self, address: str) -> object:
        """The result, from the store's own address, which is signed: the key is not shown there."""
        if urlsplit(address).scheme not in ("http", "https"):
            raise self._broken("the result has no address")

        async def read() -> object:
            async with self._session() as session, session.get(address) as response:
                content = bytearray()
                async for received in response.content.iter_any():
                    content += received
                    if len(content) > _MOST_RESULT_BYTES:
                        raise self._broken("the result is too large")
            result: object = json.loads(bytes(content))
            return result

        return await self._reached(read())

    async def _reached(self, work: Awaitable[T]) -> T:
        """What the store answers; what goes wrong there in our own terms."""
        where = f"{self._name}: DashScope's store"
        try:
            return await work
        except ProviderError:
            raise
        except aiohttp.ClientResponseError as error:
            raise error_of(
                ErrorFacts(), endpoint=self._client.endpoint, model=self._name, status=error.status
            ) from None
        except TimeoutError:
            raise TransientError(f"{where}: no answer in time", reason="timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(
                f"{where}: the connection broke ({type(error).__name__})", reason="connection"
            ) from None
        except ValueError:
            raise TransientError(f"{where}: the answer is broken JSON", reason="bad_response") from None

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            trust_env=True,
            raise_for_status=True,
            connector=aiohttp.TCPConnector(ssl=certificate_authorities()),
            timeout=aiohttp.ClientTimeout(total=self._retry.call_timeout_s),
        )


def _language_hints(language: str | None) -> dict[str, Any]:
    return {} if language is None else {"language_hints": [language]}


def _output(answer: object) -> Mapping[str, Any]:
    output = answer.get("output") if isinstance(answer, Mapping) else None
    return output if isinstance(output, Mapping) else {}
