"""Keeping passwords out of whatever a person or a file gets to see."""

import json
import re
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

_MASK = "***"
#: The password of any URL, also of one that nobody told us about.
_USERINFO = re.compile(r"(://[^:/?#\s@\"']*:)[^\s\"']+@")


class Redactor:
    """Replaces URLs and their passwords by `***`.

    Args:
        urls: connection URLs; well-formed or not. A password is known as it stands in the URL, decoded,
            and encoded in the usual ways.
    """

    def __init__(self, *urls: str) -> None:
        secrets = {form for url in urls if url for form in (url, *_passwords(url))}
        # Longest first, so that no secret is replaced in part and its rest left standing.
        longest_first = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if secrets else None

    def __call__(self, text: str) -> str:
        """`text` with everything secret in it replaced."""
        if self._secrets is not None:
            text = self._secrets.sub(_MASK, text)
        return _USERINFO.sub(rf"\g<1>{_MASK}@", text)


def _passwords(url: str) -> set[str]:
    """Every form in which the password of `url` could turn up."""
    raw: set[str] = set()
    # Not urlsplit's `password` alone: in a URL that is not well-formed (`/` in the password) it finds none.
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
    # Output is read line by line, so a password of two lines has to be known by its lines.
    return {line for form in forms for line in (form, *form.splitlines()) if line}
