"""Recognises a type's modifiers that a stand-in keeps as a number, as `geometry(Point,4326)`.

A type's own functions read and write its modifiers, and a stand-in has no such functions. It keeps a hash of the text.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping

from states.facts import Key

_MODIFIED = re.compile(r"(?P<type>.*[\w\"])\((?P<modifiers>[^()]+)\)(?P<arrays>(?:\[\])*)\Z", re.DOTALL)
#: The first number that is a hash, and what `varchartypmodout` takes off it.
_FIRST, _OFF = 1_000_000_000, 4


def modified(known: Mapping[Key, Iterable[str]], production: Mapping[Key, str]) -> dict[Key, str]:
    """Rewrites types in production's snapshot as a stand-in writes them, where their modifiers are the same.

    Args:
        known: the values that the scratch server writes, one for each step.
        production: a snapshot of production.
    """
    found = {}
    for key, values in known.items():
        actual = production.get(key)
        if actual is None or not key[1].endswith(" type") or not (theirs := _MODIFIED.match(actual)):
            continue
        numbers = _numbers(theirs["type"], theirs["modifiers"])
        spelled = {f"{theirs['type']}({number}){theirs['arrays']}" for number in numbers}
        same = next((value for value in values if value in spelled and value != actual), None)
        if same is not None:
            found[key] = same
    return found


def _numbers(name: str, modifiers: str) -> set[int]:
    """The numbers by which a stand-in may keep modifiers that production writes so."""
    text = modifiers.lower().replace(" ", "")
    # PostGIS leaves out a system of coordinates that is none, and writes the usual one of a geography.
    forms = {text, f"{text},0"} | ({text.removesuffix(",4326")} if name.endswith("geography") else set())
    return {
        _FIRST + int(hashlib.md5(form.encode(), usedforsecurity=False).hexdigest()[:7], 16) - _OFF for form in forms
    }
