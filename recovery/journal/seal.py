"""The seal of a stored event: a digest by which a value that was changed in the store is noticed on reading."""

from hashlib import sha256

import msgspec


def seal(*values: object) -> str:
    """SHA-256, in hex, over a row's values in their order. A database notices a damaged page, but no changed value."""
    return sha256(msgspec.json.encode([str(value) for value in values])).hexdigest()
