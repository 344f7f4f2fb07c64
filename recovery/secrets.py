"""Keeping passwords out of everything that is shown or written."""

import json
import re
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

_MASK = "***"
#: The password in any URL, known or not.
_USERINFO = re.compile(r"(://[^:/?#\s@\"']*:)[^\s\"']+@")


class Redactor:
    """Replaces known URLs, and their passwords, by `***`.

    Args:
        urls: connection URLs; well-formed or not. A password is recognised as it stands in the URL, decoded,
            and encoded in the usual ways.
    """

    def __init__(self, *urls: str) -> None:
        secrets = {form for url in urls if url for form in (url, *_passwords(url))}
        # Longest first: else a secret that begins with a shorter one would be replaced in part only.
        longest_first = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if secrets else None

    def __call__(self, text: str) -> str:
        """`text` with every secret in it replaced."""
        if self._secrets is not None:
            text = self._secrets.sub(_MASK, text)
        return _USERINFO.sub(rf"\g<1>{_MASK}@", text)


def _passwords(url: str) -> set[str]:
    """Every form in which the password of `url` could appear in a text."""
    raw: set[str] = set()
    # urlsplit alone is not enough: it finds no password in a malformed URL (`/` in the password).
    userinfo = re.match(r"[^:]*://[^:@]*:(.*)@", url, re.DOTALL)
    if userinfo:
        raw.add(userinfo[1])
    try:
        parts = urlsplit(url)
        raw.add(parts.password or "")
        raw.update(value for key, value in parse_qsl(parts.query) if "password" in key.lower())
    except ValueError:
        pass
    decoded = raw | {unquote(password) for password in raw}
    forms = set(decoded)
    for password in decoded:
        encoded = {quote(password), quote(password, safe=""), quote_plus(password)}
        lower = {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded}
        forms |= encoded | lower | {json.dumps(password)[1:-1], json.dumps(password, ensure_ascii=False)[1:-1]}
    # Output is redacted line by line, so a password of two lines has to be known line by line.
    return {line for form in forms for line in (form, *form.splitlines()) if line}
