"""Text of strangers on a terminal: what would move the cursor, set a title or turn the direction of
the letters is shown and not done. Pure."""

import re

# C0 but tab and line feed, DEL and C1 (ECMA-48, among them CSI in one byte), directions (UAX 9).
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# In JSON also what some programs take for the end of a line; what is below a space is escaped.
_ACTS_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """Text as a terminal may show it: each character that acts becomes U+FFFD."""
    return _ACTS.sub("\ufffd", text.replace("\r\n", "\n"))


def harmless_json(text: str) -> str:
    """The same JSON, with what acts written as its escape (RFC 8259, 7)."""
    return _ACTS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
