"""Draw docs/pictures/hyper-mappo.png: who reads what, and where increments go.

Run it by `python docs/figures/hyper_mappo.py`.
"""

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from style import BLUE, GREEN, INK, MUTED, RED, figure_axes, save

WIDTH = 1.75  # of a box
HEIGHT = 0.74
TOP = 3.1  # the height of the upper row's middle
LOW = 0.65

figure, axes = figure_axes("png", figsize=(11.5, 4.5), dpi=150)


def box(x, y, text, colour, note="", width=WIDTH):
    shape = FancyBboxPatch(
        (x - width / 2, y - HEIGHT / 2), width, HEIGHT, boxstyle="round,pad=0.02,rounding_size=0.09",
        facecolor=colour, edgecolor="none", alpha=0.92,
    )  # fmt: skip
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", color="white", fontsize=10)
    axes.text(x, y - 0.6, note, ha="center", va="center", color=MUTED, fontsize=8)


def arrow(start, end, colour=INK, bend=0.0, style="-"):
    line = f"arc3,rad={bend}"
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=12,
            color=colour,
            connectionstyle=line,
            linestyle=style,
            linewidth=1.3,
        )
    )


def label(x, y, text, colour=INK, size=9):
    axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=size)


label(0.15, TOP + 0.02, "all observations,\nagent ids", size=9)
for x, name, note in (
    (2.15, "encoder", "shared by all agents"),
    (4.6, "attention", "over agents; context=own: none"),
    (7.05, "history", "none · GRU · last k · attention · KL"),
    (9.5, "head", "full or low rank, starts at 0"),
):
    box(x, TOP, name, BLUE, note)
for left, right in ((0.85, 1.25), (3.05, 3.7), (5.5, 6.15), (7.95, 8.6)):
    arrow((left, TOP), (right, TOP))
label(5.8, TOP + 0.95, "hypernetwork: its own optimiser and clip", BLUE, 10)

label(0.15, LOW, "an agent's\nobservation", size=9)
box(2.15, LOW, "other layers", GREEN, "× a scale each")
box(6.3, LOW, "x W + b  +  x ΔW + Δb", GREEN, "chosen layers: last · all · everything", 3.3)
box(10.15, LOW, "policy", GREEN, "", 1.4)
for left, right in ((0.85, 1.25), (3.05, 4.6), (8.0, 9.4)):
    arrow((left, LOW), (right, LOW))
label(2.15, LOW + 0.7, "the actor, as in mappo", GREEN, 10)
arrow((9.5, TOP - 0.78), (7.3, LOW + 0.44), RED, -0.18)
label(10.1, 1.78, "ΔW, Δb: one for the team\nor one for each agent", RED)
arrow((6.6, LOW + 0.44), (6.0, LOW + 0.44), RED, 1.7, (0, (3, 2)))
label(5.1, LOW + 1.05, "compose=accumulate:\ncarried to the next step", RED, 8)

save(figure, axes, "hyper-mappo.png", (-0.6, 11.2), (-0.2, 4.35), pad=0.4)
