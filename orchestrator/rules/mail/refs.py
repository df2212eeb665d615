"""Which messages of ours a mail answers, told from its header alone, before anybody has read it."""

import re

_MOST_BYTES = 128 * 1024
_MOST_IDS = 100
_FIELD = re.compile(rb"(?im)^(?:in-reply-to|references):((?:[^\r\n]|\r?\n[ \t])*)")
_ID = re.compile(rb"<[^<>\s]{1,400}>")


def refs(raw: bytes) -> list[str]:
    """The Message-IDs of In-Reply-To and References (RFC 5322, 3.6.4), each once. Never raises."""
    head = raw[:_MOST_BYTES]
    ends = [at for at in (head.find(b"\r\n\r\n"), head.find(b"\n\n")) if at >= 0]
    head = head[: min(ends)] if ends else head
    found = [one for field in _FIELD.findall(head) for one in _ID.findall(field)]
    texts = dict.fromkeys(one.decode("ascii", "replace").replace("\0", "") for one in found)
    return list(texts)[:_MOST_IDS]
