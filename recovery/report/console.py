"""The console on standard output: wrapped in a terminal, and whole lines in a log."""

import io
import re
import shutil
import sys
from typing import TextIO, cast

from rich.console import Console

#: Width in characters where the output is no terminal: wide enough that names and types are never broken.
LOG_WIDTH = 400


class _Log(io.TextIOBase):
    """Standard output without the spaces with which rich fills up a line."""

    def write(self, text: str) -> int:
        """See `TextIOBase.write`."""
        return sys.stdout.write(re.sub(r" +(?=\n)", "", text))

    def flush(self) -> None:
        """See `TextIOBase.flush`."""
        sys.stdout.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # of a property
        """See `TextIOBase.encoding`."""
        return sys.stdout.encoding


def console_of_output() -> Console:
    """A console on standard output. If that is no terminal, lines are not wrapped, so that a log can be searched."""
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size((100, 24)).columns, 80)
        return Console(soft_wrap=False, width=width, highlight=False, emoji=False)
    return Console(file=cast("TextIO", _Log()), soft_wrap=False, width=LOG_WIDTH, highlight=False, emoji=False)
