"""Text of strangers on a terminal and on a page: what would move the cursor, set a title, hide, or
turn the direction of the letters is shown and not done. Pure."""

import re

# C0 but tab and line feed, DEL and C1 (ECMA-48, among them CSI in one byte), directions (UAX 9).
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# In JSON also what some programs take for the end of a line; what is below a space is escaped.
_ACTS_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Letters that are not there to be seen, and that make two names look like one: zero width but the
# joiners that scripts and pictures need, the soft hyphen, tags.
_HIDES = re.compile(
    "[\u00ad\u034f\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def harmless(text: str) -> str:
    """Text as a terminal may show it: each character that acts becomes U+FFFD."""
    return _ACTS.sub("\ufffd", text.replace("\r\n", "\n"))


def visible(text: str) -> str:
    """Text as a page may show it: what acts, and what hides, becomes U+FFFD; no character that a
    reader cannot see changes what they read."""
    return _HIDES.sub("\ufffd", harmless(text))


def harmless_json(text: str) -> str:
    """The same JSON, with what acts written as its escape (RFC 8259, 7)."""
    return _ACTS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
