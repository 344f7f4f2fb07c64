"""The cause of a failed migration, and the engine that ran it, from the ledger's `logs`.

The cause explains, and never proves that nothing was done. Prisma's native engine writes PostgreSQL's error code. Its
JavaScript engine writes only PostgreSQL's message, or one of its own; the code is then inferred if the message is
unambiguous. A server of another language than English tells the cause by its code alone.
"""

import re

from recovery.prisma.causes import ENTRIES, Entry
from states.facts import Cause

_BY_KIND = {entry.kind: entry for entry in ENTRIES}
_SENTENCES = tuple((re.compile(sentence), code, entry) for entry in ENTRIES for sentence, code in entry.sentences)

_PROSE = tuple((re.compile(sentence), code, entry) for entry in ENTRIES for sentence, code in entry.prose)

# Only at the start of a line, since a statement quoted in the logs can hold the same words.
_CODE = re.compile(r"^Database error code: ([0-9A-Z]{5})\s*$", re.MULTILINE)
_DEBUG_CODE = re.compile(r"\bcode: SqlState\(E([0-9A-Z]{5})\)")
_ERROR = re.compile(r"(?:^|: )(?:ERROR|FATAL|PANIC): +(.+)$", re.MULTILINE)
_DEBUG_MESSAGE = re.compile(r'\bmessage: "((?:[^"\\]|\\.)*)"')
_PARSED = re.compile(r"\bparsed_severity: Some\((\w+)\)")
#: PostgreSQL's message as both engines write it, at the start of a line; a quoted statement's lines have numbers.
_SAID = re.compile(r"^(?:Database error: )?(?:Error querying the database: )?(ERROR|FATAL|PANIC): +(.+)$", re.MULTILINE)
_NATIVE_ERROR = re.compile(r"^DbError \{ severity: \"", re.MULTILINE)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_WHERE = re.compile(r"\bwhere_: (\w+)")
# The JavaScript engine quotes PostgreSQL's message as its driver gives it; the native one puts "db error" before it.
_JAVASCRIPT = re.compile(r"^(?:Database error: )?Error querying the database: (?:ERROR|FATAL|PANIC): ", re.MULTILINE)
#: Kinds of causes after which it is unknown how much of the script ran.
_LOST = ("connection_lost", "too_many_connections", "in_failed_transaction")
# The JavaScript engine's own message is the first line, or the line after this one.
_EXTERNAL = re.compile(r"\A(?:external connector error\n)?(.+)")
# What the engine puts before the words of its driver.
_PREFIX = re.compile(r"\A(?:Error (?:querying the database|in connector): )?(?:db error: )?")
_NOT_EMPTY = re.compile(r"\bP3005\b")
#: What the engines and their drivers write where no answer came, with the kind of cause: in the first line, or in one
#: that is an error in Rust's debug form. Elsewhere a quoted statement can hold the same words.
_WITHOUT_AN_ANSWER = (
    (re.compile(r"\A(?:Error: )?P1002\b[\s\S]*\badvisory lock\b|\A.*Timed out trying to acquire .*"), "lock_timeout"),
    (
        re.compile(
            r"\A(?:Error: )?P10(?:01|02|08|17)(?::|\s|\Z)|^(?:Error in connector: )?(?:Db)?Error \{.*\bkind: (?:Closed"
            r"|ConnectionReset|ConnectionAborted|ConnectionRefused|BrokenPipe|TimedOut|UnexpectedEof)\b"
            r"|\A.*(?:\bConnectionReset\b|\bE(?:CONNRESET|CONNREFUSED|CONNABORTED|PIPE|TIMEDOUT)\b"
            r"|[Cc]onnection reset by peer|[Cc]onnection closed\s*$|Can't reach database server"
            r"|Server has closed the connection)",
            re.MULTILINE,
        ),
        "connection_lost",
    ),
)
#: PostgreSQL's message in another language: the engine's words before it are English.
_SAID_OTHERWISE = re.compile(r"Error querying the database: [^\s:]+ ?: +(.+)$", re.MULTILINE)


def cause(logs: str | None) -> Cause:
    """The cause of a failure; its kind is `unknown` if `logs` is empty or does not tell."""
    text = logs or ""
    said = message(text) or ""
    read = {(code, entry) for pattern, code, entry in _SENTENCES if pattern.fullmatch(said)}
    written = _CODE.search(text) or _DEBUG_CODE.search(text)
    if written:
        # A code can belong to several kinds (0A000); the message then tells which.
        code, same = written[1], [entry for code, entry in read if code == written[1]]
        return _cause(code, same[0] if same else _by_code(code), said)
    if len(read) == 1:
        return _cause(*read.pop(), said)
    return _told_otherwise(text, said)


def _told_otherwise(text: str, said: str) -> Cause:
    """The cause by what an engine or its driver says in its own words."""
    if own := _EXTERNAL.match(text):
        words = _PREFIX.sub("", own[1])
        for pattern, known, entry in () if said else _PROSE:
            if pattern.fullmatch(words):
                return _cause(known, entry, words)
        for pattern, kind in () if _SAID.search(text) else _WITHOUT_AN_ANSWER:
            if pattern.search(text[own.start(1) :]):
                return _cause(None, _BY_KIND[kind], said or own[1])
    return _cause(None, _BY_KIND["schema_not_empty" if _NOT_EMPTY.search(text) else "unknown"], said)


def message(logs: str | None) -> str | None:
    """PostgreSQL's own message, as `relation "x" already exists`; None if `logs` holds none."""
    text = logs or ""
    if match := _ERROR.search(text):
        return match[1].strip()
    if match := _DEBUG_MESSAGE.search(text):
        return match[1].replace('\\"', '"')
    if match := _SAID_OTHERWISE.search(text):
        return match[1].strip()
    return None


def refused(logs: str | None) -> str | None:
    """PostgreSQL's message, if it is certain that a statement of the script raised it; else None.

    Neither a lost connection, after which the script may have gone on, nor an error of Prisma itself is certain.
    """
    text = logs or ""
    said = _SAID.findall(text)
    severities = {*(severity for severity, _ in said), *(found.upper() for found in _PARSED.findall(text))}
    if severities != {"ERROR"} or cause(text).kind in _LOST:
        return None
    return said[0][1].strip() if said else message(text)


def raised_by_itself(logs: str | None) -> bool:
    """Whether the native engine recorded that PostgreSQL gave the error no context.

    An error within a function, a trigger or a DO block, and of a statement that one of these runs, always has a
    context. Without one, the statement that was sent raised it by itself.
    """
    if engine(logs) != "native":
        return False
    (error, *others) = (line for line in (logs or "").splitlines() if _NATIVE_ERROR.match(line))
    found = _WHERE.findall(_STRING.sub('""', error))
    return not others and found == ["None"]


def engine(logs: str | None) -> str:
    """The engine that wrote the logs, by their form: native, javascript, or unknown."""
    text = logs or ""
    if _CODE.search(text) and _NATIVE_ERROR.search(text):
        return "native"
    return "javascript" if _JAVASCRIPT.search(text) else "unknown"


def advice(found: Cause) -> str:
    """Advice on a cause, for people."""
    if found.kind == "unknown" and found.said:
        return "The sentence is PostgreSQL's own; its code is not in the ledger."
    return _BY_KIND.get(found.kind, _BY_KIND["unknown"]).advice


def _by_code(code: str) -> Entry:
    """The kind of a code, by itself or by its class; an unknown class is an error all the same."""
    by_itself = next((entry for entry in ENTRIES if code in entry.codes), None)
    by_class = next((entry for entry in ENTRIES if code[:2] in entry.codes), None)
    return by_itself or by_class or _BY_KIND["other_error"]


def _cause(code: str | None, entry: Entry, said: str) -> Cause:
    return Cause(code, entry.kind, entry.transient, said)
