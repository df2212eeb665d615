"""Header lines by hand: RFC 5322 folding and RFC 2047 words. Pure.

`email.message.EmailMessage` does the same at 1.9 ms a message, most of what a send costs: see
docs/decisions/0006-mime-by-hand.md. Tests read every result back with the parser of the stdlib.
"""

import re

_FOLD = 76  # characters a line, name included
_WORD = 66  # the longest that is not encoded, so that it can be folded
_PHRASE = 60
# C0, DEL, C1 and the two separators that some parser takes for the end of a line.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
# What needs no folding and no quoting, as most names and subjects: words, single spaces between,
# without "=" (an encoded word begins with "=?").
_SIMPLE = re.compile("[!-<>-~]+(?: [!-<>-~]+)*")
_SIMPLE_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_TOKEN = re.compile("[!-~]{1,900}")
_WORD_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")


def clean(name: str, value: str) -> str:
    """`value`, checked. Raises ValueError for what could end the line or the header."""
    if not value.isprintable() and _FORBIDDEN.search(value):  # what is printable is none of them
        raise ValueError(f"{name} holds a line break or control character")
    return value


def unstructured(name: str, value: str) -> bytes:
    """A header of free text such as Subject."""
    if len(value) <= _WORD and len(name) + 2 + len(value) <= _FOLD and _SIMPLE.fullmatch(value):
        return f"{name}: {value}\r\n".encode("ascii")
    clean(name, value)
    if _is_plain(value) and len(name) + 2 + len(value) <= 900:
        return _fold(name, value)
    return f"{name}: {_words(value, len(name) + 2)}\r\n".encode("ascii")


def address(name: str, display_name: str, addr_spec: str) -> bytes:
    """A header of one mailbox. `addr_spec` is canonical."""
    clean(name, addr_spec)
    if len(display_name) <= _PHRASE and _SIMPLE_PHRASE.fullmatch(display_name):
        phrase = last_line = display_name
    else:
        shown = " ".join(clean(name, display_name).split())
        if not shown:
            return f"{name}: {addr_spec}\r\n".encode("ascii")
        phrase = _phrase(shown, len(name) + 2)
        last_line = phrase.rpartition("\n")[2]
    gap = "\r\n " if len(last_line) + len(addr_spec) + len(name) + 5 > _FOLD else " "
    return f"{name}: {phrase}{gap}<{addr_spec}>\r\n".encode("ascii")


def tokens(name: str, values: list[str]) -> bytes:
    """A header of tokens without spaces, one a line: Message-IDs, URLs."""
    for value in values:
        if _TOKEN.fullmatch(value):
            continue
        clean(name, value)
        if not value.isascii() or " " in value or len(value) > 900:
            raise ValueError(f"{name} holds something that is no token")
    joined = "\r\n ".join(values)
    return f"{name}: {joined}\r\n".encode("ascii")


def _is_plain(value: str) -> bool:
    """ASCII that survives folding: words of sane length with single spaces between."""
    return (
        value.isascii()
        and "=?" not in value
        and value == " ".join(value.split())
        and all(len(word) <= _WORD for word in value.split(" "))
    )


def _fold(name: str, value: str) -> bytes:
    first = line = f"{name}:"
    lines: list[str] = []
    for word in value.split(" "):
        if line != first and len(line) + 1 + len(word) > _FOLD:
            lines.append(line)
            line = ""
        line += " " + word
    return ("\r\n".join([*lines, line]) + "\r\n").encode("ascii")


def _phrase(value: str, offset: int) -> str:
    if not _is_plain(value) or len(value) > _PHRASE:
        return _words(value, offset)
    if _ATOMS.fullmatch(value):
        return value
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


class _Coded(dict[str, str]):
    """A character as the Q encoding writes it, kept for the few that a language uses."""

    def __missing__(self, character: str) -> str:
        made = "".join(
            "_" if byte == 0x20 else chr(byte) if byte in _WORD_SAFE else f"={byte:02X}"
            for byte in character.encode()
        )
        if len(self) < 1024:
            self[character] = made
        return made


_CODED = _Coded()


def _words(value: str, offset: int) -> str:
    """RFC 2047 words, the Q encoding, cut between characters and folded.

    Q keeps a Nordic or German subject readable in a source view; every byte that is not a letter
    or digit is written out, so that the words are good in a phrase too (RFC 2047 5.3).
    """
    words, current, room = [], "", 75 - 12 - min(offset, 30)
    characters = [_CODED[character] for character in value]
    whole = "".join(characters)
    if len(whole) <= room:  # most subjects: 4 us, where `email.header.Header` takes 50
        return f"=?utf-8?q?{whole}?="
    for coded in characters:
        if len(current) + len(coded) > room:
            words.append(current)
            current, room = "", 75 - 12
        current += coded
    words.append(current)
    return "\r\n ".join(f"=?utf-8?q?{word}?=" for word in words)
