"""Draw docs/pictures/trajectory.svg: a rollout of seven steps that holds two short episodes.

Run it by `python docs/figures/trajectory.py`.
"""

from matplotlib.patches import FancyArrowPatch, Rectangle
from style import BLUE, GREEN, INK, MUTED, RED, figure_axes, save

OBSERVATIONS = ["A0", "A1", "A2", "A3", "B0", "B1", "B2", "C0"]
RESETS = (3, 6)  # steps that lead from one episode to the next
TIME_LIMIT = 2
TERMINATED = 5
COLOUR = {"A": BLUE, "B": GREEN, "C": MUTED}

figure, axes = figure_axes("svg", figsize=(9.2, 2.7))
for i, name in enumerate(OBSERVATIONS):
    first = name.endswith("0")
    box = Rectangle((i - 0.22, 0.78), 0.44, 0.44, facecolor=COLOUR[name[0]], alpha=0.9 if first else 0.35)
    axes.add_patch(box)
    axes.text(i, 1, name, ha="center", va="center", color="white" if first else INK, fontsize=10)
    axes.text(i, 1.42, f"obs[{i}]", ha="center", color=MUTED, fontsize=8)

for t in range(len(OBSERVATIONS) - 1):
    reset = t in RESETS
    colour = MUTED if reset else INK
    style = (0, (2, 2)) if reset else "-"
    arrow = FancyArrowPatch(
        (t + 0.25, 1), (t + 0.75, 1), arrowstyle="-|>", mutation_scale=10, color=colour, linestyle=style
    )
    axes.add_patch(arrow)
    label = "reset" if reset else f"action[{t}]"
    axes.text(t + 0.5, 0.62, label, ha="center", va="center", color=colour, fontsize=8)
    axes.text(t + 0.5, 0.38, "not valid" if reset else "valid", ha="center", color=colour, fontsize=8)
for t, word in (
    (TIME_LIMIT, "time limit:\nbootstraps from A3"),
    (TERMINATED, "terminated:\nthe reward alone"),
):
    axes.text(t + 0.5, 0.0, word, ha="center", va="center", color=RED, fontsize=8)

save(figure, axes, "trajectory.svg", (-0.5, 7.5), (-0.2, 1.6))
