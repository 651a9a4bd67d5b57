"""The commands as Markdown, for docs/command-line.md.

`python -m covey.cli.reference docs/command-line.md` writes them between the page's two markers.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .declaration import Declaration, declarations

_BEGIN = "<!-- commands: begin -->"
_END = "<!-- commands: end -->"


def reference() -> str:
    """Return every command with its words and options."""
    return "\n".join(line for declaration in declarations().values() for line in section(declaration))


def section(declaration: Declaration) -> Iterator[str]:
    """Yield a command's heading, what it does, and a table of its words and options."""
    yield f"### `{declaration.synopsis}`"
    yield ""
    yield declaration.description
    yield ""
    parameters = [*declaration.words, *filter(None, [declaration.settings]), *declaration.options]
    rows = [(p.spelling, p.help) for p in parameters]
    rows += [("--json", "print everything, as JSON")] if declaration.command.json else []
    if rows:
        yield "| | |"
        yield "|---|---|"
        yield from (f"| `{cell(spelling)}` | {cell(text)} |" for spelling, text in rows)
        yield ""


def cell(text: str) -> str:
    """Return a text that a Markdown table may hold."""
    return text.replace("|", "\\|")


def with_reference(page: str) -> str:
    """Return a page with the newest reference between its markers."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise UserError(f"the page has no markers: write {_BEGIN} and {_END} where the commands belong")
    return f"{before}{_BEGIN}\n{reference()}\n{_END}{after}"


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(with_reference(path.read_text(encoding="utf-8")), encoding="utf-8")
