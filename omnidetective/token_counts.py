"""How long a caption is, in tokens of somebody's tokenizer, or in words and marks where none is given."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omnidetective.captions.sentences import count_tokens
from omnidetective.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts tokens.

    Attributes:
        name: whose tokens they are, for results.
        count: the tokens of a text, special ones included, as a tokenizer adds them.
    """

    name: str
    count: Callable[[str], int]


WORDS = TokenCounter("words and marks", count_tokens)
"""Words, numbers and punctuation marks: needs nothing, and is near to what tokenizers count for English."""


def token_counter(tokenizer: Path | None) -> TokenCounter:
    """The counter of a ``tokenizer.json`` (Hugging Face), or :data:`WORDS`.

    Raises:
        ConfigError: the file is none, or the package that reads it is not installed.
    """
    if tokenizer is None:
        return WORDS
    if importlib.util.find_spec("tokenizers") is None:
        raise ConfigError("a tokenizer needs the package tokenizers", hint="pip install tokenizers")
    from tokenizers import Tokenizer

    file = tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer
    try:
        loaded = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises the plain class
        raise ConfigError(f"cannot read the tokenizer in {file}: {error}", hint="name a tokenizer.json") from error
    return TokenCounter(f"tokens of {file.parent.name or file.name}", lambda text: len(loaded.encode(text).ids))
