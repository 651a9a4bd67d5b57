"""What the audit says at the end of a run."""

from typing import Any

from ..text import count
from .modules import FOLLOWS


def lines(told: dict[str, Any]) -> list[str]:
    """A line when all is well; one more for each thing that may be wrong."""
    if not told["judged"]:
        some = max(told["updates"].values(), default=0)
        why = (
            f"{count(some, 'update')} are too few to tell what moves" if told["updates"] else "nobody learns"
        )
        return [f"effect audit: {settings(told)}; {why}"]
    follow = lambda name: FOLLOWS in name.lower()
    share = {name: facts["moved"] for name, facts in told["modules"].items()}
    moved = [name for name, x in share.items() if not follow(name) and x > 0]
    targets = [name for name in share if follow(name)]
    known = [f for name, f in told["modules"].items() if not follow(name) and f["gradient"] is not None]
    parts = [settings(told), f"{count(len(moved), 'module')} moved"]
    parts[1] += " (gradients by their moments)" if known else " (no moments: gradients not seen)"
    if targets:
        still = [name for name in targets if share[name] == 0]
        parts.append(f"{still[0]} has not followed yet" if still else "targets followed")
    parts.append(f"exploring changed {percent(told['explored'])} of actions")
    parts += [f"off by choice: {', '.join(told['off'])}"] if told["off"] else []
    return ["effect audit: " + ", ".join(parts), *(f"  perhaps a defect: {note}" for note in told["notes"])]


def settings(told: dict[str, Any]) -> str:
    read, idle = told["settings"]["read"], told["settings"]["idle"]
    said = f"{count(len(read), 'setting')} read" if read else "settings as shipped"
    return said + (f", {len(idle)} idle here" if idle else "")


def percent(shares: dict[str, float]) -> str:
    return ", ".join(f"{name.rstrip('/')} {x:.0%}".strip().replace("%", " %") for name, x in shares.items())
