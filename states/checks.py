"""Makers of checks: one for each way in which a check of preflight can end."""

from states.facts import Check, Outcome


def held(name: str, seen: str, source: str) -> Check:
    """It was made, and holds."""
    return Check(name, Outcome.HELD, seen, source)


def refused(name: str, seen: str, source: str, remedy: str, *, busy: bool = False) -> Check:
    """It was made, and does not hold; `busy`: it will by itself, in time."""
    return Check(name, Outcome.REFUSED, seen, source, remedy, busy)


def unknown(name: str, seen: str, source: str, remedy: str) -> Check:
    """It could not be made."""
    return Check(name, Outcome.UNKNOWN, seen, source, remedy)


def awaited(name: str, seen: str, source: str) -> Check:
    """It is being made."""
    return Check(name, Outcome.AWAITED, seen, source)
