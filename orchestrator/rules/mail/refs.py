"""What a mail answers and who wrote it, told from its header alone, before anybody has read it."""

import re

_MOST_BYTES = 128 * 1024
_MOST_IDS = 100
_FIELD = re.compile(rb"(?im)^(?:in-reply-to|references):((?:[^\r\n]|\r?\n[ \t])*)")
_ID = re.compile(rb"<[^<>\s]{1,400}>")


_FROM = re.compile(rb"(?im)^from:((?:[^\r\n]|\r?\n[ \t])*)")

_ADDRESS = re.compile(rb"[^\s<>()@\",;:]{1,100}@[^\s<>()@\",;:]{1,253}")


def refs(raw: bytes) -> list[str]:
    """The Message-IDs of In-Reply-To and References (RFC 5322, 3.6.4), each once. Never raises."""
    found = [one for field in _FIELD.findall(_head(raw)) for one in _ID.findall(field)]
    texts = dict.fromkeys(one.decode("ascii", "replace").replace("\0", "") for one in found)
    return list(texts)[:_MOST_IDS]


def writer(raw: bytes) -> str | None:
    """The address in From, in lower case; None where it names none. Never raises."""
    field = _FROM.search(_head(raw))
    found = _ADDRESS.findall(field.group(1)) if field else []
    return found[-1].decode("utf-8", "replace").replace("\0", "").lower() if found else None


def _head(raw: bytes) -> bytes:
    head = raw[:_MOST_BYTES]
    ends = [at for at in (head.find(b"\r\n\r\n"), head.find(b"\n\n")) if at >= 0]
    return head[: min(ends)] if ends else head
