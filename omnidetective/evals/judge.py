"""The judge: a chat model that is asked until it answers in a form that can be scored, each try a call of its own.

Calls go through the same layer as all others: retried, limited, priced, and kept, so that an evaluation which was
killed goes on where it stopped and pays for no answer twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from omnidetective.errors import ConfigError, ContentFilterError, ContextLengthError, RateLimitError, TransientError
from omnidetective.llm.base import ChatModel
from omnidetective.llm.json_text import without_thinking
from omnidetective.llm.messages import ChatReply, ChatRequest, Message
from omnidetective.prompts import PromptLibrary
from omnidetective.report.layout import clean

T = TypeVar("T")

WhyNot = Literal["unparsable", "refused", "too_long", "unfinished"]
"""Why there is no verdict. ``unfinished``: the provider did not answer; the same command may succeed later."""

_MOST_TRIES = 1000
"""Samples are numbered by run and try; a run has fewer tries than this."""
_HOPELESS = 40
"""So many replies to one kind of question, and not one that can be read: there will be none."""
_SHOWN = 160
"""Columns of a reply that nobody can read: enough to see what it is."""


class UnjudgedError(Exception):
    """An item that could not be judged."""

    def __init__(self, reason: WhyNot, why: str) -> None:
        super().__init__(why)
        self.reason: WhyNot = reason
        self.why = why


async def verdict_or_none(asked: Awaitable[T]) -> T | None:
    """One of several verdicts on an item: ``None`` where the judge gives none, and would give none another time.

    Raises:
        UnjudgedError: the provider did not answer: the whole item is left for the next time.
    """
    try:
        return await asked
    except UnjudgedError as error:
        if error.reason == "unfinished":
            raise
        return None


class Judge:
    """Puts questions to the judge in one run over a benchmark.

    Args:
        chat: the model.
        run: number of the run, from 0: what is drawn in one says nothing of another.
    """

    def __init__(self, chat: ChatModel, prompts: PromptLibrary, *, run: int = 0) -> None:
        self._chat = chat
        self._run = run
        self._unread: dict[str, int] = {}
        self.prompts = prompts

    @property
    def name(self) -> str:
        """``provider:model``."""
        return self._chat.name

    def of_run(self, run: int) -> Judge:
        """The same judge in another run."""
        other = Judge(self._chat, self.prompts, run=run)
        other._unread = self._unread
        return other

    async def ask(
        self,
        user: str,
        parse: Callable[[str], T | None],
        *,
        system: str | None = None,
        tries: int = 1,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> T:
        """What the judge says, parsed.

        Args:
            parse: takes a reply without what was thought aloud in it; ``None`` for one that cannot be scored.
            tries: most times that it is asked, where its replies cannot be parsed.
            max_tokens: a limit for judges that ramble. One that was cut off while it was still thinking is asked again
                without it.

        Raises:
            UnjudgedError: no reply could be parsed, the provider refused the content, or did not answer.
            ProviderError: no further call would succeed: the key, the quota, the model.
            ConfigError: this judge answers nothing that can be read, whatever it is asked about.
        """
        assert 0 < tries < _MOST_TRIES
        messages: tuple[Message, ...] = (Message.of("user", user),)
        if system is not None:
            messages = (Message.of("system", system), *messages)
        for attempt in range(tries):
            request = ChatRequest(
                messages=messages,
                temperature=temperature,
                max_tokens=max_tokens,
                sample=self._run * _MOST_TRIES + attempt,
            )
            try:
                reply = await self._chat.complete(request)
            except (RateLimitError, TransientError) as error:
                raise UnjudgedError("unfinished", error.message) from error
            except ContextLengthError as error:
                raise UnjudgedError("too_long", error.message) from error
            except ContentFilterError as error:
                raise UnjudgedError("refused", error.message) from error
            if reply.outcome == "blocked":
                raise UnjudgedError("refused", f"{self.name} refused this content")
            parsed = parse(without_thinking(reply.text))
            self._heard(parse, reply, readable=parsed is not None)
            if parsed is not None:
                return parsed
            why = f"no reply of {tries} had a form that can be scored; the last{_shown(reply, max_tokens)}"
            if _cut_off_thinking(reply):
                max_tokens = None
        raise UnjudgedError("unparsable", why)

    def _heard(self, parse: Callable[[str], object], reply: ChatReply, *, readable: bool) -> None:
        """Count replies that cannot be read, by who reads them, until there is one that can."""
        kind = f"{parse.__module__}.{parse.__qualname__}"
        if readable:
            self._unread[kind] = -1
        elif (unread := self._unread.get(kind, 0)) >= 0:
            self._unread[kind] = unread + 1
            if unread + 1 >= _HOPELESS:
                raise ConfigError(
                    f"none of the first {_HOPELESS} replies of {self.name} had a form that can be scored; "
                    f"the last{_shown(reply, None)}",
                    reason="unreadable_judge",
                    hint="choose another judge with --models, or word the task for it with --prompts",
                )


def _cut_off_thinking(reply: ChatReply) -> bool:
    said = reply.text.strip()
    return reply.outcome == "truncated" and (not said or said.lower().startswith(("<think", "<reasoning")))


def _shown(reply: ChatReply, max_tokens: int | None) -> str:
    """A reply as a person reads it: how it ended, and how it begins."""
    cut = ""
    if reply.outcome == "truncated":
        cut = f", cut off at {max_tokens} tokens" if max_tokens is not None else ", cut off at the provider's limit"
    if said := " ".join(reply.text.split()):
        return f"{cut}: {clean(said, _SHOWN)}"
    return f"{cut}{',' if cut else ''} was empty{', all of it was thinking' if reply.reasoning else ''}"
