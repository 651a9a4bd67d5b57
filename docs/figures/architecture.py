"""Draw docs/pictures/architecture.svg: the packages by floor, and a batch on its way to a gradient.

Run `python docs/figures/architecture.py`. The floors are those of tests/test_house.py.
"""

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"

PURPOSE = {
    "cli": "parses the command line",
    "commands": "names",
    "compat": "others' calls",
    "migrate": "others' commands as covey's",
    "api": "train, resume, compare …: what covey exports",
    "show": "films, plots, tables, descriptions",
    "analysis": "comparisons, grids, sweeps, runs against runs",
    "lazy": "imports when used",
    "ranges": "bounds of settings",
    "lab": "the operator lab; needs no run",
    "testing": "proofs for your own classes",
    "runs": "a run: session, engine, checkpoints, folder",
    "audit": "did every choice have an effect?",
    "config": "from words to objects: settings, presets",
    "algorithms": "qmix, ppo, maddpg …: losses and updates",
    "environments": "worlds, and adapters for others' worlds",
    "training": "the loop, learner slots, host worlds, devices",
    "networks": "agents, mixers, critics, distributions",
    "experience": "on-policy rollouts, replay",
    "ops": "returns, losses, selection, named keys, descent",
    "parts": "schedules, optimisers, targets, factories",
    "core": "Spec, Observation, Step, Trajectory, interfaces",
    "charts": "one theme for plots",
    "statistics": "means, intervals, bootstrap",
    "files": "atomic",
    "yaml_text": "strict",
    "signals": "who answers them",
    "text": "numbers and tables as text",
    "errors": "errors for users",
}

# What happens to a batch, the files that do it, and the package whose colour the box takes.
STEPS = (
    ("the engine compiles a chunk of iterations", "runs/engine.py", "runs"),
    ("the loop collects, stores and learns", "training/loop.py", "training"),
    ("one rollout scans the steps", "training/rollout.py", "training"),
    ("each learner slot acts for its agents", "training/learners.py", "training"),
    ("the algorithm acts; later it updates", "algorithms/qmix.py", "algorithms"),
    ("its networks give values or policies", "networks/agents.py", "networks"),
    ("the world takes a step of n copies", "environments/particles/spread.py", "environments"),
    ("T steps and T+1 observations", "core/trajectory.py", "core"),
    ("replay stores steps, then draws windows", "experience/replay.py", "experience"),
    ("the mixer gives the team's value", "networks/mixers.py", "networks"),
    ("targets: TD(λ), stopping where episodes end", "ops/returns.py", "ops"),
    ("the gradient, its clip and the step", "ops/descent.py", "ops"),
)
COLOURS = ("#e8eef7", "#f7efe2", "#e9f3ea", "#f3e8ef", "#efefef")
GROUPS = (
    {"cli", "api", "show", "analysis", "lab", "testing"},
    {"runs", "audit", "config"},
    {"algorithms", "environments", "training", "networks", "experience"},
    {"ops", "parts", "core"},
)
INK = "#22303c"
MUTED = "#5d6b78"
ROW = 27
TOP = 56
WIDTH = 1010
LEFT = 440  # the width of the column of floors


def floors() -> tuple[tuple[str, ...], ...]:
    """Read the floors that the test of imports holds as data."""
    tree = ast.parse((ROOT / "tests" / "test_house.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS":
            return ast.literal_eval(node.value)
    raise ValueError("tests/test_house.py holds no FLOORS")


def colour(package: str) -> str:
    groups = [i for i, group in enumerate(GROUPS) if package in group]
    return COLOURS[groups[0] if groups else -1]


def text(x: float, y: float, words: str, size: int = 12, **style: str) -> str:
    style = {"fill": INK, **style}
    attributes = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x}" y="{y}" font-size="{size}" {attributes}>{escape(words)}</text>'


def box(x: float, y: float, width: float, fill: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{ROW - 5}" rx="4" fill="{fill}" stroke="#c3ccd5"/>'


def draw_floors() -> list[str]:
    parts = [text(20, 34, "Packages: imports point down", 15, font_weight="bold")]
    for row, packages in enumerate(floors()):
        width = (LEFT - 20) / len(packages)
        for column, package in enumerate(packages):
            x = 20 + column * width
            y = TOP + row * ROW
            label = f'<tspan font-weight="bold">{escape(package)}</tspan>'
            purpose = f'<tspan fill="{MUTED}" dx="8">{escape(PURPOSE.get(package, ""))}</tspan>'
            parts.append(box(x, y, width - 4, colour(package)))
            parts.append(
                f'<text x="{x + 9}" y="{y + 15}" font-size="12" fill="{INK}">{label}{purpose}</text>'
            )
    return parts


def draw_steps() -> list[str]:
    x = LEFT + 60
    width = WIDTH - x - 20
    parts = [text(x, 34, "A batch, from the world to a gradient", 15, font_weight="bold")]
    height = ROW * 1.55
    for row, (words, file, package) in enumerate(STEPS):
        y = TOP + row * height
        parts.append(box(x, y, width, colour(package)))
        parts.append(text(x + 9, y + 15, f"{row + 1}  {words}"))
        parts.append(
            text(x + width - 9, y + 15, file, 11, fill=MUTED, text_anchor="end", font_family="monospace")
        )
        if row + 1 < len(STEPS):
            middle = x + width / 2
            line = f"M{middle} {y + ROW - 5} V{y + height - 6}"
            parts.append(f'<path d="{line}" stroke="{MUTED}" fill="none" marker-end="url(#head)"/>')
    return parts


def draw() -> str:
    """Return the picture as SVG."""
    height = TOP + max(len(floors()) * ROW, int(len(STEPS) * ROW * 1.55)) + 14
    marker = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{MUTED}"/></marker></defs>'
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="Helvetica, Arial, sans-serif">'
    )
    background = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, marker, background, *draw_floors(), *draw_steps(), "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw())
