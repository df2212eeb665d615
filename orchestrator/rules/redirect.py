"""Which stored links a click may lead to. The URL never comes from the request."""

import string
from urllib.parse import quote, urlsplit

_SAFE = string.punctuation  # what a URL may hold already stays as it is; the rest is quoted


def followable(url: str) -> str | None:
    """`url` fit for a Location header (RFC 9110, 10.2.2), or None when it must not be followed.

    Only absolute http and https with a host, without credentials; no control characters, spaces
    or backslashes, which browsers read in ways of their own.
    """
    if not url.isprintable() or " " in url or "\\" in url:  # of spaces, only U+0020 is printable
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    if "@" in parts.netloc:
        return None
    try:
        host = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    except UnicodeError:
        return None
    return parts._replace(netloc=host).geturl() if url.isascii() else _quoted(url, host)


def _quoted(url: str, host: str) -> str:
    parts = urlsplit(url)
    return parts._replace(
        netloc=host,
        path=quote(parts.path, safe=_SAFE),
        query=quote(parts.query, safe=_SAFE),
        fragment=quote(parts.fragment, safe=_SAFE),
    ).geturl()
