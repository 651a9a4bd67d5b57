"""Links from documentation to lines of code are still right.

A link to a line is written [`snippet`](path/to/file.py#L80), one to several #L80-L90: text of the code as it
stands, which is found there. Where lines have moved, the failure says which link to write instead.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TO_A_LINE = re.compile(r"(?:\[`([^`]+)`\])?\(([^():\s]+\.py)#L(\d+)(?:-L(\d+))?\)")


def told(page: Path, link: re.Match) -> str | None:
    """What is wrong with a link, and what to write instead."""
    snippet, path, first, last = link.groups()
    if snippet is None:
        return f"{page.name}: {link[0]} follows no snippet: write [`code of that line`]{link[0]}"
    lines = (page.parent / path).read_text().splitlines()
    first, last = int(first), int(last or first)
    if any(snippet in line for line in lines[first - 1 : last]):
        return None
    places = [f"#L{n}" for n, line in enumerate(lines, 1) if snippet in line]
    remedy = f"write {' or '.join(places)}" if places else "it is no longer in that file"
    return f"{page.name}: [`{snippet}`] is not on {path}#L{link[3]}: {remedy}"


def wrong(page: Path) -> list[str]:
    links = TO_A_LINE.finditer(page.read_text())
    return [complaint for link in links if (complaint := told(page, link))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_the_lines_they_name(page):
    # Would break: a linked line that moved, changed or went away.
    assert wrong(page) == [], "\n".join(wrong(page))


def test_links_gone_wrong_are_told(tmp_path):
    # Would break: a checker that finds nothing wrong, whatever a page says; a remedy that is none.
    (tmp_path / "code.py").write_text("one = 1\ntwo = 2\nthree = one + two\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[`one = 1`](code.py#L1), [`three`](code.py#L2-L3), [the file](code.py), [web](https://a.b/c.py#L9)\n"
        "bad [`two = 2`](code.py#L1), [`two`](code.py#L9), gone [`four`](code.py#L3), bare [it](code.py#L1)\n"
    )
    assert wrong(page) == [
        "page.md: [`two = 2`] is not on code.py#L1: write #L2",
        "page.md: [`two`] is not on code.py#L9: write #L2 or #L3",
        "page.md: [`four`] is not on code.py#L3: it is no longer in that file",
        "page.md: (code.py#L1) follows no snippet: write [`code of that line`](code.py#L1)",
    ]
