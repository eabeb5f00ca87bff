"""The judge: a chat model that is asked until it answers in a form that can be scored, each try a call of its own.

Calls go through the same layer as all others: retried, limited, priced, and kept, so that an evaluation which was
killed goes on where it stopped and pays for no answer twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from omnidetective.errors import ContentFilterError, ContextLengthError, RateLimitError, TransientError
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
_SHOWN = 160
"""Columns of a reply that nobody can read: enough to see what it is."""


class UnjudgedError(Exception):
    """An item that could not be judged.

    Attributes:
        replies: what the judge said, the last try last.
    """

    def __init__(self, reason: WhyNot, why: str, replies: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.reason: WhyNot = reason
        self.why = why
        self.replies = replies


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
        self.prompts = prompts

    @property
    def name(self) -> str:
        """``provider:model``."""
        return self._chat.name

    def of_run(self, run: int) -> Judge:
        """The same judge in another run."""
        return Judge(self._chat, self.prompts, run=run)

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
        """
        assert 0 < tries < _MOST_TRIES
        messages: tuple[Message, ...] = (Message.of("user", user),)
        if system is not None:
            messages = (Message.of("system", system), *messages)
        replies: list[str] = []
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
                raise UnjudgedError("unfinished", error.message, tuple(replies)) from error
            except ContextLengthError as error:
                raise UnjudgedError("too_long", error.message, tuple(replies)) from error
            except ContentFilterError as error:
                raise UnjudgedError("refused", error.message, tuple(replies)) from error
            if reply.outcome == "blocked":
                raise UnjudgedError("refused", f"{self.name} refused this content", tuple(replies))
            replies.append(reply.text)
            if (parsed := parse(without_thinking(reply.text))) is not None:
                return parsed
            why = f"no reply of {tries} had a form that can be scored; the last{_shown(reply, max_tokens)}"
            if _cut_off_thinking(reply):
                max_tokens = None
        raise UnjudgedError("unparsable", why, tuple(replies))


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
