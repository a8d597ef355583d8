"""Elements of HTML and SVG: every text and every attribute is escaped when the tree is written."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree

Node = ElementTree.Element
# What HTML cannot hold even when escaped: controls, surrogates, and the two non-characters of UTF-16.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def element(tag: str, /, *children: Node | str | None, **attributes: object) -> Node:
    """Return an element; `class_` stands for class, `_` in other names for `-`, None is left out."""
    node = ElementTree.Element(tag)
    for key, value in attributes.items():
        if value is not None:
            node.set(key.rstrip("_").replace("_", "-"), clean(value))
    return extend(node, children)


def extend(node: Node, children: Iterable[Node | str | None]) -> Node:
    """Append elements and texts to an element and return it."""
    for child in children:
        if isinstance(child, ElementTree.Element):
            node.append(child)
        elif child is not None:
            _append_text(node, clean(child))
    return node


def clean(value: object) -> str:
    """Return a value as text, with what HTML cannot hold replaced by the replacement character."""
    return _FORBIDDEN.sub("\ufffd", str(value))


def svg(
    width: float, height: float, *children: Node | str | None, label: str, **more: object
) -> Node:
    """Return a drawing of this size in CSS pixels, whose label is read out."""
    return element(
        "svg",
        element("title", label),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        width=number(width),
        height=number(height),
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        **more,
    )


def number(value: float) -> str:
    """Return a coordinate with at most two decimals, the same text on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))


def figure(picture: Node, caption: str) -> Node:
    """Return a picture that scrolls inside its own box, with a caption."""
    # Focusable, so that a keyboard can scroll it.
    box = element("div", picture, class_="wide", tabindex="0", role="group", aria_label=caption)
    return element("figure", box, element("figcaption", caption))


def table(head: Iterable[str], rows: Iterable[Iterable[Node | str]], caption: str) -> Node:
    """Return a table in a scrolling box; the first cell of a row is its header, the rest are right."""
    listed = [tuple(row) for row in rows]
    names = list(head)
    # A column is one of numbers when any of its cells is one: its head then stands over them.
    kinds = [
        "number" if any(_is_number(row[i]) for row in listed) else None for i in range(len(names))
    ]
    columns = element(
        "tr",
        *(
            element("th", name, scope="col", class_=kind)
            for name, kind in zip(names, kinds, strict=True)
        ),
    )
    lines = []
    for first, *rest in listed:
        cells = (
            element("td", cell, class_=kind) for cell, kind in zip(rest, kinds[1:], strict=True)
        )
        lines.append(element("tr", element("th", first, scope="row", class_=kinds[0]), *cells))
    content = element(
        "table",
        element("caption", caption),
        element("thead", columns),
        element("tbody", *lines),
    )
    return element("div", content, class_="wide", tabindex="0", role="group", aria_label=caption)


def plural(count: int, unit: str) -> str:
    """Return a count with its unit, in the plural where it is not one."""
    return f"{count:,} {unit}" + "s" * (count != 1)


def path_text(text: str) -> Node:
    """Return a path that may break after its slashes, so that it need not break inside a name."""
    first, *rest = re.split(r"(?<=/)", text)
    node = element("span", first)
    for piece in rest:
        extend(node, (element("wbr"), piece))
    return node


def _is_number(cell: Node | str) -> bool:
    return isinstance(cell, str) and bool(re.fullmatch(r"[-+]?[\d.,]+( µs| %)?", cell))


def document(head: Node, body: Node) -> str:
    """Return the text of a page."""
    page = element("html", head, body, lang="en")
    return "<!DOCTYPE html>\n" + ElementTree.tostring(page, "unicode", "html") + "\n"


def _append_text(node: Node, text: str) -> None:
    if len(node):
        node[-1].tail = (node[-1].tail or "") + text
    else:
        node.text = (node.text or "") + text
