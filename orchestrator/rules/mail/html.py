"""HTML of mails: as text, with its quotes marked; and cleaned, so that a browser may show it."""

import re
from collections.abc import Iterator
from itertools import islice

import nh3
from lxml import etree, html

_LIMIT = 400_000  # characters that are looked at
_STEPS = 15_000  # beginnings and ends of elements: 50 ms
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt"}
    | {"fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr"}
    | {"li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"}
)
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "pre"})
_DROPPED = frozenset(
    {"style", "script", "head", "title", "noscript", "template", "object", "svg", "math"}
    | {"select", "textarea", "button"}
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all")
# Everything behind such an element is quoted, to the end: Outlook's and others' header blocks.
_REST = frozenset(
    {"divrplyfwdmsg", "appendonsend", "x_divrplyfwdmsg", "x_appendonsend", "isforwardcontent"}
    | {"mail-editor-reference-message-container", "reply-intro", "olk_src_body_section"}
    | {"stopspelling", "ms-outlook-mobile-body-separator-line"}
)
_REST_CLASSES = frozenset(
    {"yahoo_quoted", "protonmail_quote", "tutanota_quote", "zmail_extra", "outlookmessageheader"}
    | {"moz-forward-container", "yahoo-quoted-begin", "ydpyahoo_quoted", "wordsection1_reply"}
    | {"quotedmessage", "reply-new-mail", "hey_quote", "front-blockquote", "superhuman_quote"}
)
_QUOTES = frozenset({"moz-cite-prefix_quote", "gmail_quote_block", "iwc-signature-quote"})
_ATTRIBUTIONS = frozenset({"gmail_attr", "moz-cite-prefix", "gmail_quote_attribution"})
_SIGNATURES = frozenset(
    {"gmail_signature", "gmail_signature_prefix", "moz-signature", "signature", "x_signature"}
    | {"ms-outlook-mobile-signature", "x_ms-outlook-mobile-signature", "protonmail_signature_block"}
    | {"applemailsignature", "tutanota_signature", "iwc-signature", "ydp-signature"}
)
_SEPARATOR = "-----Original Message-----"
_INDENTED = re.compile(r"border(?:-left)?\s*:\s*(?:none|0)")  # Gmail's indent button makes quotes


def as_text(source: str) -> str:
    """HTML as plain text: quotes get `>`, what quotes up to the end a line that says so, and
    signatures that are marked as such their delimiter. Never raises."""
    if not source.strip():
        return ""
    try:
        parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        root = html.fromstring(source[:_LIMIT].encode("utf-8", "replace"), parser=parser)
        return _Writer().written(root)
    except (etree.LxmlError, ValueError, AssertionError):
        return re.sub(r"<[^<>]*>", " ", source[:_LIMIT])


class _Writer:
    """One walk over the tree, without recursion: strangers choose the depth."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        self._depth = 0  # of quotes
        self._rest = False
        self._pre = 0

    def written(self, root: etree._Element) -> str:
        for event, node in _walk(root):
            if event == "start":
                self._open(node)
                self._say(node.text)
            else:
                self._close(node)
                self._say(node.tail if node is not root else None)
        self._break()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def _say(self, text: str | None) -> None:
        if not text:
            return
        if self._pre:
            first, *more = text.split("\n")
            self._line += first
            for one in more:
                self._break()
                self._line = one
            return
        flat = re.sub(r"[ \t\r\n\f]+", " ", text)
        self._line += flat.lstrip() if not self._line or self._line.endswith(" ") else flat

    def _break(self, *, blank: bool = False) -> None:
        line = self._line.rstrip()
        mark = ">" * min(self._depth, 5)
        if line:
            self._lines.append(f"{mark} {line}" if mark else line)
        elif blank and self._lines and self._lines[-1] not in ("", mark):
            self._lines.append(mark)
        self._line = ""

    def _open(self, node: etree._Element) -> None:
        tag = str(node.tag)
        if tag == "br":
            line = self._line
            self._break()
            if not line.strip():
                self._break(blank=True)
            return
        if tag in ("td", "th") and self._line and not self._line.endswith(" "):
            self._line += " "
        if tag in _BLOCKS:
            self._break()
            if tag in _SPACED:
                self._break(blank=True)
        names = _names(node)
        if not (self._rest or self._depth) and (names & (_REST | _REST_CLASSES) or _ruled(node)):
            self._rest = True
            self._break()
            self._lines += ["", _SEPARATOR]
        if names & _SIGNATURES and not self._depth and not self._rest:
            self._break()
            self._lines.append("-- ")
        if tag == "li":
            self._line = "- "
        self._pre += tag == "pre"
        if _quotes(node):
            self._break()
            self._depth += 1

    def _close(self, node: etree._Element) -> None:
        tag = str(node.tag)
        if _quotes(node):
            self._break()
            self._depth -= 1
        self._pre -= tag == "pre"
        if tag in _BLOCKS:
            self._break()
            if tag in _SPACED or _quotes(node):
                self._break(blank=True)


def _walk(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Start and end of every element, without those that nobody sees."""
    walker = etree.iterwalk(root, events=("start", "end"))
    skipped: set[etree._Element] = set()
    for event, node in islice(walker, _STEPS):
        if event == "end" and node in skipped:
            skipped.discard(node)
            yield "end", _Tail(node)
        elif event == "start" and _unseen(node):
            skipped.add(node)
            walker.skip_subtree()
        else:
            yield event, node


class _Tail:
    """An element left out, of which the words behind it remain."""

    tag = "span"
    text = None

    def __init__(self, node: etree._Element) -> None:
        self.tail = node.tail

    def get(self, name: str, default: str = "") -> str:
        """No attributes."""
        return default


def _unseen(node: etree._Element) -> bool:
    style = node.get("style") or ""
    return (
        not isinstance(node.tag, str)
        or node.tag in _DROPPED
        or bool(style and _HIDDEN.search(style.lower()))
    )


def _names(node: etree._Element) -> set[str]:
    found = f"{node.get('id') or ''} {node.get('class') or ''} {node.get('data-smartmail') or ''}"
    return set(found.lower().split()) if found.strip() else set()


def _quotes(node: etree._Element) -> bool:
    """Whether this element is somebody else's text; an indented paragraph is the writer's own."""
    if node.tag != "blockquote":
        return bool(_names(node) & _QUOTES)
    names, style = _names(node), (node.get("style") or "").lower()
    cited = node.get("type") == "cite" or "gmail_quote" in names or node.get("cite")
    return bool(cited) or not ("margin" in style and _INDENTED.search(style))


def _ruled(node: etree._Element) -> bool:
    """Outlook's rule above `From: ... Sent: ...`: a border at the top of a block, nothing else."""
    style = (node.get("style") or "").lower().replace(" ", "")
    if node.tag != "div" or "border-top:solid" not in style:
        return False
    text = "".join(islice(node.itertext(), 60))[:300]
    return bool(re.search(r"(?s)^[^:]{2,12}:.{3,120}\n?.{0,40}:", text.strip()))


_STYLES = {
    *("color", "background-color", "font-size", "font-family", "font-weight", "font-style"),
    *("margin", "padding", "text-align", "text-decoration", "line-height", "border", "border-left"),
}


def sanitised(source: str) -> str:
    """HTML that is safe to show in a sandboxed frame: no scripts, forms, frames, images or other
    requests; links open apart and tell nobody where they were clicked."""
    return nh3.clean(
        source[:_LIMIT].encode("utf-8", "replace").decode(),
        tags=nh3.ALLOWED_TAGS - {"img", "map", "area"},
        attributes={**nh3.ALLOWED_ATTRIBUTES, "*": {"style", "dir", "lang"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        filter_style_properties=_STYLES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
