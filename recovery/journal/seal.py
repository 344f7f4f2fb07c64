"""The seal of a stored event: what keeps a value that was changed in place from being read as it stands."""

from hashlib import sha256

import msgspec


def seal(*values: object) -> str:
    """SHA-256 over the values of a row, in their order. Stores notice a damaged page, not a damaged value."""
    return sha256(msgspec.json.encode([str(value) for value in values])).hexdigest()
