"""HTML tables as TEDS sees them: a small ordered tree whose leaves are the cells.

The rules follow the code released with PubTabNet (Zhong et al. 2020, https://arxiv.org/abs/1911.10683,
``src/metric.py``): which table of a document counts, what a node is and what a cell's tokens are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

_WHOLE_DOCUMENT = re.compile(r"\s*<(?:html|!doctype)", re.IGNORECASE)
_FIRST_SURROGATE, _SURROGATES = 0xD800, 2048
_FIRST_PRIVATE = 0xF0000


class TagCodes(dict[str, str]):
    """One character per distinct tag token such as ``<b>`` or ``</b>``, handed out on first use.

    Plain string edit distance then is the token edit distance. The characters are lone surrogates, which parsed text
    cannot contain; after 2,048 of them private-use characters of planes 15 and 16. Share one table between the two
    documents of a comparison.
    """

    def __missing__(self, token: str) -> str:
        place = len(self)
        code = _FIRST_SURROGATE + place if place < _SURROGATES else _FIRST_PRIVATE + place - _SURROGATES
        return self.setdefault(token, chr(code))


@dataclass(frozen=True, slots=True)
class TableTree:
    """A table as an ordered tree of n nodes in document order, the ``table`` element first.

    parents: index of each node's parent, -1 for the root.
    labels: the tag, or ("td", colspan, rowspan) for a cell. Cells are always leaves.
    cells: the tokens of a cell, one character each; None where there is nothing to compare (other nodes).
    elements: number of all elements below ``table``, those inside cells included: the denominator of TEDS.
    """

    parents: tuple[int, ...]
    labels: tuple[Hashable, ...]
    cells: tuple[str | None, ...]
    elements: int


def wrap_table(html: str) -> str:
    """``html`` made a document, if it is not one: a bare table gets ``<html><body>`` before it.

    The official code scores everything that has no ``html`` root at 0, a bare table included, so that a model trained
    to emit just the table would get nothing. A text that starts with ``<html`` or ``<!doctype`` is returned as it is,
    so is one without a visible character. The closing tags are added only behind ``</table>``: an output that was cut
    may end inside a tag, which they would change; the parser closes what is open.

    >>> wrap_table("<table><tr><td>1</td></tr></table>")
    '<html><body><table><tr><td>1</td></tr></table></body></html>'
    >>> wrap_table("<table><tr><td>1</td></tr><tr><td")
    '<html><body><table><tr><td>1</td></tr><tr><td'
    """
    if not html.strip() or _WHOLE_DOCUMENT.match(html):
        return html
    complete = html.rstrip()[-8:].lower() == "</table>"
    return f"<html><body>{html}{'</body></html>' if complete else ''}"


def parse_table(
    html: str, codes: TagCodes, *, structure_only: bool = False, ignore_nodes: Iterable[str] = ()
) -> TableTree | None:
    """The first table that is a direct child of the document's body, or None where the official code has no score.

    None: empty text, text that the parser refuses, no such table, or a colspan or rowspan that is not an integer.
    structure_only: every cell is empty. ignore_nodes: tags that are dissolved, their text and children staying.
    """
    from lxml import etree

    if not html:
        return None
    try:
        table = _first_table(html)
        if table is None:
            return None
        if ignore_nodes:
            etree.strip_tags(table, *ignore_nodes)
        return _tree(table, codes, structure_only)
    except (ValueError, etree.LxmlError):
        return None


def _first_table(html: str) -> Any:
    import lxml.html

    return lxml.html.fromstring(html, parser=_parser()).find("body/table")


@functools.lru_cache(maxsize=1)
def _parser() -> Any:
    import lxml.html

    return lxml.html.HTMLParser(remove_comments=True, encoding="utf-8")


def _tree(table: Any, codes: TagCodes, structure_only: bool) -> TableTree:
    parents: list[int] = []
    labels: list[Hashable] = []
    cells: list[str | None] = []
    waiting = [(table, -1)]
    while waiting:  # no recursion: a model can emit thousands of nested tags
        node, parent = waiting.pop()
        parents.append(parent)
        if node.tag == "td":
            labels.append(("td", int(node.get("colspan", "1")), int(node.get("rowspan", "1"))))
            cells.append("" if structure_only else _cell_tokens(node, codes))
        else:
            here = len(labels)
            labels.append(node.tag)
            cells.append(None)
            waiting.extend((child, here) for child in node.iterchildren("*", reversed=True))
    return TableTree(tuple(parents), tuple(labels), tuple(cells), int(table.xpath("count(.//*)")))


def _cell_tokens(cell: Any, codes: TagCodes) -> str:
    """Characters of the text and one code per tag, in document order, without the cell's own tags.

    Two oddities are the official ones: ``unk`` has no closing token, and text after a nested ``td`` is lost.
    """
    if not len(cell):
        return cell.text or ""
    pieces: list[str] = [cell.text or ""]
    path = [(cell, iter(cell))]
    while path:
        node, children = path[-1]
        child = next(children, None)
        if child is None:
            path.pop()
            if path:
                if node.tag != "unk":
                    pieces.append(codes[f"</{node.tag}>"])
                if node.tag != "td":
                    pieces.append(node.tail or "")
        elif isinstance(child.tag, str):
            pieces += codes[f"<{child.tag}>"], child.text or ""
            path.append((child, iter(child)))
        else:  # a processing instruction: newer parsers drop it
            pieces.append(child.tail or "")
    return "".join(pieces)
