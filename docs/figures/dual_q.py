"""Draw docs/pictures/dual-q.svg: what feeds what in one update of the dual-Q hybrid.

Run it by `python docs/figures/dual_q.py`.
"""

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from style import BLUE, GREEN, INK, MUTED, RED, figure_axes, save

BOXES = {
    "batch": (0.9, 2.0, "one batch of\ntransitions\n$x,\\ a,\\ r_i,\\ r_{team},\\ x',\\ s,\\ s'$", INK),
    "target": (3.3, 2.0, "target actors\n$a' = \\mu^-(o')$", MUTED),
    "global": (5.9, 3.3, "1  critics $Q_i(x, a)$\nto $r_i + \\gamma Q_i^-(x', a')$", BLUE),
    "local": (
        5.9,
        0.7,
        "2  local critics $Q^l_i(o_i, a_i)$, mixer\nto $r_{team} + \\gamma Q^-_{tot}(s', a')$",
        GREEN,
    ),
    "alpha": (8.7, 2.0, "3  $\\alpha\\, Q_i + (1 - \\alpha)\\, Q^l_i$\nof its own action alone", RED),
    "actor": (11.1, 2.0, "actors $\\mu_i(o_i)$\n$4$  all targets follow", INK),
}
ARROWS = [
    ("batch", "target", MUTED),
    ("target", "global", MUTED),
    ("target", "local", MUTED),
    ("global", "alpha", BLUE),
    ("local", "alpha", GREEN),
    ("alpha", "actor", RED),
]

figure, axes = figure_axes("svg", figsize=(11.5, 3.6))
for x, y, text, colour in BOXES.values():
    style = {"boxstyle": "round,pad=0.08", "facecolor": "white", "edgecolor": colour, "linewidth": 1.6}
    wide = 2.5 if y != 2.0 else 1.8
    axes.add_patch(FancyBboxPatch((x - wide / 2, y - 0.42), wide, 0.84, **style))
    axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=9)
for start, end, colour in ARROWS:
    x, y, *_ = BOXES[start]
    u, v, *_ = BOXES[end]
    left = 0.95 if y == 2.0 else 1.3
    right = 0.95 if v == 2.0 else 1.3
    axes.add_patch(
        FancyArrowPatch((x + left, y), (u - right, v), arrowstyle="-|>", mutation_scale=12, color=colour)
    )
axes.text(7.6, 3.55, "agents outside the team: $Q_i$ alone", color=MUTED, fontsize=8, ha="left")
axes.text(7.6, 0.4, "the mixed value itself never reaches an actor", color=MUTED, fontsize=8, ha="left")
save(figure, axes, "dual-q.svg", (-0.1, 12.2), (0.0, 4.0))
