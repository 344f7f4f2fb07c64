"""Which statement of a script can have raised an error: as far as its sentence names what only some of them make."""

import re
from collections.abc import Sequence

from recovery.sql.parser import postgast
from recovery.sql.statements import Parsed

#: Only a statement that makes something of that name says these. "Does not exist" may come from anywhere: from a
#: trigger that a later statement fires, above all.
_NAMING = tuple(
    re.compile(sentence)
    for sentence in (
        r'relation "(.+)" already exists',
        r'column "(.+)" of relation ".+" already exists',
        r'type "(.+)" already exists',
        r'schema "(.+)" already exists',
        r'enum label "(.+)" already exists',
    )
)
#: Longer names are cut by PostgreSQL, in its messages too.
_NAME_BYTES = 63


def last_to_raise(parsed: Sequence[Parsed], sentence: str) -> int:
    """The last statement that can have raised an error of PostgreSQL's with this sentence.

    The statements after it did not run, whichever way the script was run: a failure ends a script. Where the sentence
    doesn't tell, that is the script's last statement.
    """
    name = next((match[1] for pattern in _NAMING if (match := pattern.fullmatch(sentence))), None)
    if name is None:
        return len(parsed)
    able = [s.index for s in parsed if not s.schema_only or _holds(s.sql, name)]
    named = any(s.schema_only and _holds(s.sql, name) for s in parsed)
    return max(able) if named else len(parsed)


def _holds(sql: str, name: str) -> bool:
    text = sql.encode()
    tokens = [text[token.start : token.end].decode(errors="replace") for token in postgast.scan(sql).tokens]
    # Escapes are not unescaped here: what is written with them may be any name.
    return any(token[:2].lower() in ("u&", "e'") or _word(token) == _cut(name) for token in tokens)


def _word(token: str) -> str:
    """A token as the name or the text that it stands for."""
    for quote in ('"', "'"):
        if token.startswith(quote):
            return _cut(token[1:-1].replace(quote * 2, quote))
    return _cut(token.lower())


def _cut(name: str) -> str:
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")
