"""Splits a shell's text into its simple commands, as far as that is possible without running it. Pure."""

import re
from dataclasses import dataclass

#: Marks the parts of a word that the shell computes; `\0NAME\0` is a variable's value. No argument can hold a NUL.
UNKNOWN = "\0"
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_SPECIAL = re.compile(r"\$(?:\{[^{}`$'\"\\]*\}|[@*#?$!\d-])")
_REDIRECTION = re.compile(r"&>>?|>>|>&|>\||<>|<&|<<<|>|<")
_OPERATOR = re.compile(r"&&|\|\||;;|\|&|[;|&()\n]")
#: Shell keywords; a command begins after each of them.
_KEYWORDS = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "}", "fi", "done", "time"})
_EXPANDING = frozenset("*?[]{}")


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes; `start` is its position in the text."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One simple command.

    Attributes:
        words: its words, without redirections.
        ended_by: the operator after it, as `&&`; empty at the end of the text.
        keyword: a keyword such as `then` stands before it.
    """

    words: tuple[Word, ...]
    ended_by: str
    keyword: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """The words' texts."""
        return tuple(word.text for word in self.words)


def split(text: str) -> tuple[Segment, ...]:
    """The simple commands of `text`, in their order, without redirections.

    Raises:
        ValueError: the text has an unclosed quote, a command substitution, or a here-document.
    """
    return _Reader(text).segments()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._word: list[str] = []
        self._start: int | None = None
        self._words: list[Word] = []
        self._segments: list[Segment] = []
        self._into_file = False
        self._quoted = False
        self._keyword = False

    def segments(self) -> tuple[Segment, ...]:
        while self._at < len(self._text):
            self._step()
        self._end_segment("")
        return tuple(self._segments)

    def _step(self) -> None:
        text, at = self._text, self._at
        char = text[at]
        if char == "\\":
            if text[at + 1 : at + 2] != "\n":
                self._add(text[at + 1 : at + 2])
            self._at += 2
        elif char == "'":
            end = self._closing("'", at + 1)
            self._add(text[at + 1 : end])
            self._at = end + 1
        elif char == '"':
            self._double()
        elif char in "$`":
            self._expansion()
        elif found := _REDIRECTION.match(text, at):
            self._redirect(found[0])
        elif found := _OPERATOR.match(text, at):
            self._at = found.end()
            self._end_segment(found[0])
        elif char in " \t":
            self._end_word()
            self._at += 1
        elif char == "#" and self._start is None:
            end = text.find("\n", at)
            self._at = len(text) if end < 0 else end
        else:
            self._add(char + UNKNOWN if char in _EXPANDING else char)
            self._at += 1

    def _double(self) -> None:
        self._add("")
        self._at += 1
        while True:
            char = self._text[self._at : self._at + 1]
            following = self._text[self._at + 1 : self._at + 2]
            if not char:
                raise ValueError("a quote is not closed")
            if char == '"':
                self._at += 1
                return
            if char == "\\" and following and following in '$`"\\\n':
                self._add("" if following == "\n" else following)
                self._at += 2
            elif char in "$`":
                self._expansion()
            else:
                self._add(char)
                self._at += 1

    def _expansion(self) -> None:
        if found := _VARIABLE.match(self._text, self._at):
            self._add(f"{UNKNOWN}{found[1] or found[2]}{UNKNOWN}")
        elif found := _SPECIAL.match(self._text, self._at):
            self._add(UNKNOWN * 2)
        elif self._text[self._at] == "`" or self._text[self._at + 1 : self._at + 2] in ("(", "{", "'", '"'):
            raise ValueError("it runs a command inside another, or computes a word")
        else:
            self._add("$")
            self._at += 1
            return
        self._at = found.end()

    def _redirect(self, operator: str) -> None:
        if operator == "<" and self._text.startswith("<<", self._at):
            raise ValueError("it has a here-document")
        if self._text[self._at + len(operator) : self._at + len(operator) + 1] == "(":
            raise ValueError("it runs a command inside another")
        if "".join(self._word).isdecimal():  # a file descriptor, as in `2>&1`
            self._word, self._start = [], None
        self._end_word()
        self._into_file = True
        self._at += len(operator)

    def _closing(self, quote: str, start: int) -> int:
        end = self._text.find(quote, start)
        if end < 0:
            raise ValueError("a quote is not closed")
        return end

    def _add(self, part: str) -> None:
        if self._start is None:
            self._start = self._at
        self._word.append(part)
        self._quoted = self._quoted or self._text[self._at] in "\\'\""

    def _end_word(self) -> None:
        if self._start is None:
            return
        word = Word("".join(self._word), self._start)
        keyword = not self._quoted and word.text.removesuffix(UNKNOWN) in _KEYWORDS and not self._words
        self._word, self._start, self._quoted = [], None, False
        if self._into_file:
            self._into_file = False
        elif keyword:
            self._keyword = True
        else:
            self._words.append(word)

    def _end_segment(self, operator: str) -> None:
        self._end_word()
        self._into_file = False
        if self._words:
            self._segments.append(Segment(tuple(self._words), operator, self._keyword))
        elif operator in ("(", ")"):
            self._segments.append(Segment((), operator, self._keyword))
        self._words, self._keyword = [], False
