"""HTML and SVG in which every text is escaped: elements are made by `tag`, never by joining strings.

A run folder may come from a stranger. Its names reach the page as text, as attributes, and as JSON.
"""

import html
import json
import math
import re
from collections.abc import Iterable
from typing import Any

from ...text import signed

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EMPTY = frozenset(("br", "circle", "input", "line", "meta", "path", "polygon", "polyline", "rect"))
_LONGEST = 160  # characters of a name or value


class Markup(str):
    """Text that is HTML already."""


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """Return an element. Children that are no `Markup` are escaped; None and False are left out.

    Of an attribute's name a trailing underscore is dropped and others become hyphens: `class_`, `aria_label`.
    An attribute that is True has no value; one that is None or False is left out.
    """
    written = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written.append(key if value is True else f'{key}="{escape(value)}"')
    start = " ".join(written)
    return Markup(f"<{start}/>" if name in _EMPTY else f"<{start}>{join(*children)}</{name}>")


def join(*children: Any) -> Markup:
    """Return children one after another, each escaped unless it is `Markup`; lists are unpacked."""
    parts = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(escape(child))
        elif isinstance(child, Iterable):
            parts.append(join(*child))
        elif child is not None and child is not False:
            parts.append(escape(child))
    return Markup("".join(parts))


def escape(value: Any) -> str:
    """Return a text for HTML, without characters that no page may hold."""
    return html.escape(clean(str(value)))


def clean(text: str) -> str:
    """Replace control characters and halves of surrogate pairs."""
    return _CONTROL.sub("\ufffd", text)


def shorten(value: Any, most: int = _LONGEST) -> str:
    """Return a text of at most so many characters."""
    text = clean(str(value))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def script_json(value: Any) -> Markup:
    """Write plain data for a script element: ASCII that can neither end the script nor open a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))


def number(x: Any, digits: int = 2) -> str:
    """Return a number as a reader expects it; very large and very small ones with a power of ten."""
    if x is None or not math.isfinite(x):
        return "–"
    if x and not 1e-3 <= abs(x) < 1e6:
        return f"{x:.3g}".replace("-", "−")
    return signed(x, digits if abs(x) >= 0.1 or not x else max(digits, 3))


def interval_text(low: Any, high: Any) -> str:
    """Return an interval in brackets."""
    return f"[{number(low)}, {number(high)}]"
