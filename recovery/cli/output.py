"""The output of a command: words, one JSON document, or a stream of events; and the log."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.console import Console

from recovery import events
from recovery.app.session import Options
from recovery.cli.next_commands import completion
from recovery.errors import UsageError
from recovery.report import github
from recovery.report.collect import Collector
from recovery.report.console import LOG_WIDTH, console_of_output
from recovery.report.document import ErrorDocument, encode
from recovery.report.stream import stream
from recovery.report.terminal import Terminal
from states.answers import Refusal

Ask = Callable[[str], str]


class _Clock:
    """The monotonic clock, or the time at which what is shown now has happened."""

    at: float | None = None

    def __call__(self) -> float:
        """Seconds."""
        return time.monotonic() if self.at is None else self.at


class Output:
    """The output of one call. Words go to stdout and errors to stderr; JSON goes to stdout, and nothing else does.

    Attributes:
        command: its name.
        as_json: one JSON document was asked for.
        console: takes the words.
        terminal: shows events in words.
        log: writes events to stderr, if a log was asked for.
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
        """Takes the output options; `log_format` or `verbose` asks for a log."""
        self.command = command
        self.as_json = as_json
        self._both = as_json and as_events
        self._as_events = as_events and not as_json
        self._unknown_format = False
        logging = verbose or log_format is not None
        self.console = console_of_output()
        self._clock = _Clock()
        live = not (logging and sys.stderr.isatty())
        self.terminal = Terminal(self.console, self._clock, live=live, verbose=verbose)
        self._collector = Collector(command, self._clock) if command in ("run", "plan", "pipeline") else None
        self._document: object = None
        self._given: tuple[Options, Sequence[str]] = Options(), ()
        self._sinks: list[events.Sink] = []
        self.log: events.Sink = events.nobody
        if self._as_events:
            self._sinks.append(stream(sys.stdout, complete=self.complete))
        elif not as_json:
            self._sinks.append(self.terminal)
        elif self._collector is not None:
            self._sinks.append(self._collector)
        #: Annotations and the job's summary; None outside GitHub Actions.
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
        """Whether the output is words for a person, not JSON."""
        return not (self.as_json or self._as_events)

    def check(self) -> None:
        """Refuses output options that do not go together.

        Raises:
            UsageError: `usage.output`, `usage.log_format`.
        """
        if self._both:
            raise UsageError(
                "usage.output",
                "--json prints one document, --events one line for each event. Nothing was done.",
                "Choose one of them.",
            )
        if self._unknown_format:
            raise UsageError(
                "usage.log_format",
                "--log-format is neither json nor text. Nothing was done.",
                "Give one of them.",
            )

    def emit(self, event: events.Event) -> None:
        """Passes an event to every sink that was asked for."""
        for sink in self._sinks:
            sink(event)

    def emit_at(self, event: events.Event, at: float) -> None:
        """Passes on an event that happened at this time of the monotonic clock, and was kept until now."""
        self._clock.at = at
        try:
            self.emit(event)
        finally:
            self._clock.at = None

    def asking(self, ask: Ask | None) -> Ask | None:
        """A function that asks a person; None where nobody would read the question."""
        return self.terminal.asking(ask) if ask is not None and self.in_words else None

    def given(self, options: Options, flags: Sequence[str] = ()) -> None:
        """Adds these options, and these flags of `run`, to the commands we suggest."""
        self._given = options, flags
        self.terminal.complete = completion(options, flags)

    def assumed(self, name: str) -> None:
        """Adds an assumption that a person has just made, as if it had been given as an option."""
        options, flags = self._given
        self.given(replace(options, assume=(*options.assume, name)), flags)

    def complete(self, line: str) -> str:
        """A suggested command, with the options of this call added."""
        return self.terminal.complete(line)

    def document(self, document: object) -> None:
        """Takes the JSON document to print at the end."""
        self._document = document

    def failed(self, refusal: Refusal) -> None:
        """Shows a refusal that stopped the command outside any state of the recovery."""
        self.emit(events.Failed(refusal))
        self.document(ErrorDocument(refusal))
        github.tell(refusal, sys.stderr)
        if self.in_words:
            # Lines are wrapped in a terminal and not in a log. Commands are never wrapped, so they can be copied.
            width = None if sys.stderr.isatty() else LOG_WIDTH
            commands = [f"    {self.complete(command.line)}" for command in refusal.commands]
            said = f"prisma-recovery: {refusal.fact}\n  What to do: {refusal.remedy}"
            try:
                console = Console(stderr=True, highlight=False, markup=False, emoji=False, width=width)
                console.print(said)
                for line in commands:
                    console.print(line, soft_wrap=True)
                console.print(f"  ({refusal.code})")
            except OSError:
                # Rich loads parts of itself as it prints, which fails where no more files can be opened.
                sys.stderr.write("\n".join((said, *commands, f"  ({refusal.code})\n")))

    def end(self, exit_code: int) -> None:
        """Stops the moving line in the terminal, and prints the JSON document if it was asked for."""
        self.terminal.close()
        if not self.as_json:
            return
        document = self._document
        if self._collector is not None:
            document = self._collector.document(exit_code)
        if isinstance(self._document, ErrorDocument) and self._collector is not None:
            document = self._collector.document(exit_code, self._document.refusal)
        print(encode(document, self.complete), flush=True)  # noqa: T201 - the command's output
