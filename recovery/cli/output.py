"""How a command shows itself: in words, as one document, or as a stream of events; and what it logs."""

import os
import sys
from collections.abc import Callable

from rich.console import Console

from recovery import events
from recovery.app.session import Options
from recovery.cli.next_commands import completion
from recovery.errors import UsageError
from recovery.report import github
from recovery.report.collect import Collector
from recovery.report.document import ErrorDocument, encode
from recovery.report.stream import stream
from recovery.report.terminal import LOG_WIDTH, Terminal, console_of_output
from states.answers import Refusal

Ask = Callable[[str], str]


class Output:
    """What one invocation prints. In words to stdout, and its errors to stderr; else JSON to stdout, and nothing else.

    Attributes:
        as_json: one document.
        console: where words go.
        terminal: shows events in words.
        log: writes events to stderr, where that was asked for.
    """

    def __init__(
        self,
        command: str,
        *,
        as_json: bool = False,
        as_events: bool = False,
        log_format: str | None = None,
        verbose: bool = False,
    ) -> None:
        """Takes what the command line asks for; logs go to stderr where either of the last two is given."""
        self.as_json = as_json
        self._both = as_json and as_events
        self._as_events = as_events and not as_json
        self._unknown_format = False
        logging = verbose or log_format is not None
        self.console = console_of_output()
        self.terminal = Terminal(self.console, live=not (logging and sys.stderr.isatty()))
        self._collector = Collector(command) if command in ("run", "plan", "pipeline") else None
        self._document: object = None
        self._sinks: list[events.Sink] = []
        self.log: events.Sink = events.nobody
        if self._as_events:
            self._sinks.append(stream(sys.stdout, complete=self.complete))
        elif not as_json:
            self._sinks.append(self.terminal)
        elif self._collector is not None:
            self._sinks.append(self._collector)
        #: Annotations and the job's summary, in one of GitHub's runners only.
        self.github = github.of(
            os.environ, annotations=sys.stdout if self.in_words else sys.stderr, complete=self.complete
        )
        if self.github is not None and command in ("run", "plan", "pipeline"):
            self._sinks.append(self.github)
        if logging:
            from recovery.report.log import Format, to

            form = log_format or (Format.TEXT if sys.stderr.isatty() else Format.JSON)
            self._unknown_format = form not in list(Format)
            if not self._unknown_format:
                self.log = to(sys.stderr, Format(form), verbose=verbose)
                self._sinks.append(self.log)

    @property
    def in_words(self) -> bool:
        """A person reads it."""
        return not (self.as_json or self._as_events)

    def check(self) -> None:
        """Sees that what was asked for goes together.

        Raises:
            UsageError: `usage.output`, `usage.log_format`.
        """
        if self._both:
            raise UsageError(
                "usage.output",
                "--json prints one document, --events one for each event; nothing was done.",
                "Choose one of them.",
            )
        if self._unknown_format:
            raise UsageError(
                "usage.log_format",
                "--log-format is neither json nor text; nothing was done.",
                "Give one of them.",
            )

    def emit(self, event: events.Event) -> None:
        """Shows an event, in each way that was asked for."""
        for sink in self._sinks:
            sink(event)

    def asking(self, ask: Ask | None) -> Ask | None:
        """How to ask a person; None where nobody reads the question."""
        return self.terminal.asking(ask) if ask is not None and self.in_words else None

    def given(self, options: Options) -> None:
        """What the next commands, which are shown to be copied, need of these options is added to them."""
        self.terminal.complete = completion(options)

    def complete(self, line: str) -> str:
        """A command to be copied, with the options that it needs."""
        return self.terminal.complete(line)

    def document(self, document: object) -> None:
        """This is what the command has to say, for machines."""
        self._document = document

    def failed(self, refusal: Refusal) -> None:
        """Something stopped the command outside of any state."""
        self.emit(events.Failed(refusal))
        self.document(ErrorDocument(refusal))
        github.tell(refusal, sys.stderr)
        if self.in_words:
            # In a terminal broken between words; in a log whole, and so are commands anywhere.
            width = None if sys.stderr.isatty() else LOG_WIDTH
            console = Console(stderr=True, highlight=False, markup=False, width=width)
            console.print(f"prisma-recovery: {refusal.fact}\n  What to do: {refusal.remedy}")
            for command in refusal.commands:
                console.print(f"    {self.complete(command.line)}", soft_wrap=True)
            console.print(f"  ({refusal.code})")

    def end(self, exit_code: int) -> None:
        """Prints the document, if that was asked for; nothing moves any more."""
        self.terminal.close()
        if not self.as_json:
            return
        document = self._document
        if self._collector is not None:
            document = self._collector.document(exit_code)
        if isinstance(self._document, ErrorDocument) and self._collector is not None:
            document = self._collector.document(exit_code, self._document.refusal)
        print(encode(document, self.complete), flush=True)  # noqa: T201 - the command's output
