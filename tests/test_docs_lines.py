"""Links from documentation to lines of code, and to headings of pages, are right.

A link to a line is written [`snippet`](path/to/file.py#L80), to several lines #L80-L90. The snippet is text
of the code and is found there. Where lines have moved, the failure says which link to write instead.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TO_A_LINE = re.compile(r"(?:\[`([^`]+)`\])?\(([^():\s]+\.py)#L(\d+)(?:-L(\d+))?\)")
TO_A_HEADING = re.compile(r"\]\(([^():\s#]*\.md)?#([^)\s]+)\)")


def complaint(page: Path, link: re.Match) -> str | None:
    """Return what is wrong with a link and what to write instead, or None."""
    snippet, path, first, last = link.groups()
    if snippet is None:
        return f"{page.name}: {link[0]} follows no snippet: write [`code of that line`]{link[0]}"
    file = page.parent / path
    if not file.exists():
        return f"{page.name}: [`{snippet}`]: there is no file {path}"
    lines = file.read_text().splitlines()
    first, last = int(first), int(last or first)
    if any(snippet in line for line in lines[first - 1 : last]):
        return None
    places = [f"#L{n}" for n, line in enumerate(lines, 1) if snippet in line]
    remedy = f"write {' or '.join(places)}" if places else "it is no longer in that file"
    return f"{page.name}: [`{snippet}`] is not on {path}#L{link[3]}: {remedy}"


def complaints(page: Path) -> list[str]:
    answers = [complaint(page, link) for link in TO_A_LINE.finditer(page.read_text())]
    return [answer for answer in answers if answer]


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_the_lines_they_name(page):
    # Breaks where a linked line moves, changes or goes away.
    assert complaints(page) == [], "\n".join(complaints(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings(page):
    # Breaks where a heading is reworded and a link to it is not.
    links = TO_A_HEADING.findall(page.read_text())
    assert [
        link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)
    ] == []


def test_wrong_links_are_reported(tmp_path):
    # Breaks where the checker accepts everything, or gives a wrong remedy.
    (tmp_path / "code.py").write_text("one = 1\ntwo = 2\nthree = one + two\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[`one = 1`](code.py#L1), [`three`](code.py#L2-L3), [the file](code.py), [web](https://a.b/c.py#L9)\n"
        "bad [`two = 2`](code.py#L1), [`two`](code.py#L9), gone [`four`](code.py#L3), bare [it](code.py#L1)\n"
        "moved [`one`](gone.py#L1)\n"
    )
    assert complaints(page) == [
        "page.md: [`two = 2`] is not on code.py#L1: write #L2",
        "page.md: [`two`] is not on code.py#L9: write #L2 or #L3",
        "page.md: [`four`] is not on code.py#L3: it is no longer in that file",
        "page.md: (code.py#L1) follows no snippet: write [`code of that line`](code.py#L1)",
        "page.md: [`one`]: there is no file gone.py",
    ]


def test_headings_get_githubs_names(tmp_path):
    # Breaks where the checker would accept a link to a heading that is not there.
    page = tmp_path / "page.md"
    page.write_text(
        "# A tour\n```\n# no heading\n```\n## Beside XuanCe's results\n### `run.json`, and more\n"
    )
    assert anchors(page) == {"a-tour", "beside-xuances-results", "runjson-and-more"}
