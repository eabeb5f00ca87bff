"""Server-sent events, as streamed answers come in. Pure.

The form is that of https://html.spec.whatwg.org/multipage/server-sent-events.html; only the data of events is of use.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

_BOM = "\ufeff"


class EventParser:
    """Takes bytes as they come, cut anywhere, and gives the data of each event that is whole.

    An event that the stream ends in the middle of is none, as the standard says.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._data: list[str] = []
        self._begun = False
        self._after_return = False

    def feed(self, received: bytes) -> Iterator[str]:
        """The data of the events that end in these bytes."""
        text = self._decoder.decode(received)
        if not text:
            return
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_BOM)
        if self._after_return and text.startswith("\n"):
            text = text[1:]  # The second half of a line end that was cut in two.
        self._after_return = text.endswith("\r") if text else False
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield "\n".join(self._data)
                self._data.clear()

    def _take(self, line: str) -> None:
        if line.startswith("data: "):
            self._data.append(line[6:])
        elif line.startswith("data:"):
            self._data.append(line[5:])
        elif line == "data":
            self._data.append("")
