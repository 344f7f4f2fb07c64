"""Walks libpg_query's parse tree. Its nodes are protobuf messages, whose classes have no static types."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Messages of which a tree has most, and that are never asked for by their kind alone.
_COMMON = frozenset(("Node", "A_Const", "String", "Integer"))


class _Memory(threading.local):
    """For each tree that was asked for, the tree itself, whose id is the key, and its messages by their kind."""

    found: dict[int, tuple[Any, dict[str, list[Any]]]] | None = None


_memory = _Memory()


@contextmanager
def remembered() -> Iterator[None]:
    """Inside this block each tree is walked once, however often `of` is asked. No tree must be changed inside it."""
    _memory.found = {}
    try:
        yield
    finally:
        _memory.found = None


def children(message: Any) -> Iterator[tuple[str, Any]]:
    """The direct child messages of a message, each with the name of its field."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if hasattr(value, "ListFields"):
            yield descriptor.name, value
        else:
            for item in value:
                yield descriptor.name, item


def walk(message: Any) -> Iterator[Any]:
    """A message and all messages inside it, depth first."""
    # Not recursive: each message would be handed on through a generator for every message around it.
    waiting = [message]
    while waiting:
        message = waiting.pop()
        yield message
        inside = []
        for descriptor, value in message.ListFields():
            if descriptor.message_type is None:
                continue
            if hasattr(value, "ListFields"):
                inside.append(value)
            else:
                inside.extend(value)
        waiting.extend(reversed(inside))


def of(message: Any, kind: str) -> Iterator[Any]:
    """The messages of one kind inside a message; `kind` is the name of the message type, such as `RangeVar`."""
    known = _memory.found
    if known is None or kind in _COMMON:
        return (node for node in walk(message) if node.DESCRIPTOR.name == kind)
    if id(message) not in known:
        kinds: dict[str, list[Any]] = {}
        for node in walk(message):
            if (name := node.DESCRIPTOR.name) not in _COMMON:
                kinds.setdefault(name, []).append(node)
        known[id(message)] = (message, kinds)
    return iter(known[id(message)][1].get(kind, ()))


def strings(nodes: Any) -> tuple[str, ...]:
    """The parts of a dotted name, from a list of string nodes."""
    return tuple(node.string.sval for node in nodes if node.WhichOneof("node") == "string")


def functions(body: Any) -> set[str]:
    """Names of the functions that a tree calls. A schema other than pg_catalog stays in the name, as in `s.lower`.

    So a list of PostgreSQL's own functions does not match a function of another schema by accident.
    """
    parts = (strings(call.funcname) for call in of(body, "FuncCall"))
    return {".".join(each[1:] if each[0] == "pg_catalog" else each) for each in parts if each}


def enum_name(message: Any, field: str) -> str:
    """The name of an enumeration field's value, such as `AT_AddColumn`."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return str(descriptor.enum_type.values_by_number[getattr(message, field)].name)
