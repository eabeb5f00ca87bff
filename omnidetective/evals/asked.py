"""What VDC and VidCapBench share: questions that are answered from a caption alone, and each answer compared."""

from __future__ import annotations

from omnidetective.evals.judge import Judge
from omnidetective.evals.native import as_json

_ANSWER_TOKENS = 256


async def answer_from(caption: str, question: str, judge: Judge) -> str:
    """A short answer to a question, by somebody who knows the caption alone.

    Raises:
        UnjudgedError: there was none.
    """
    prompts = judge.prompts
    return await judge.ask(
        prompts.get("eval/case_task").render(case=as_json({"caption": caption, "question": question})),
        lambda reply: reply.strip() or None,
        system=prompts.get("eval/from_caption").render(),
        tries=3,
        max_tokens=_ANSWER_TOKENS,
    )


def comparison(question: str, right: str, answer: str) -> str:
    """The three texts that are compared, as JSON."""
    return as_json({"question": question, "right_answer": right, "answer": answer})
