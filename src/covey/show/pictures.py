"""The pictures that belong to results of the analysis."""

from dataclasses import replace
from pathlib import Path

from ..analysis.ablation_results import Ablation
from ..analysis.compare import Comparison
from ..analysis.match_results import Crossplay
from ..analysis.sweep.findings import Sweep
from ..errors import UserError
from ..runs.folder import RunFolder
from ..runs.metrics import LearningCurve, curves
from .plot import best_so_far, match_tables, overlay


def comparison_picture(a: str | Path, b: str | Path, out: str | Path | None) -> Path:
    """Return where the picture of a comparison goes: by default into A's folder, named after B."""
    path = Path(out) if out else Path(a) / f"compare_{Path(b).resolve().name}.png"
    if path.suffix != ".png":
        raise UserError(f"--out {path} has no ending that says what to write: take .png")
    return path


def draw_comparison(comparison: Comparison, path: Path) -> Comparison:
    """Draw both learning curves, and return the comparison with its picture."""
    named: dict[str, LearningCurve] = {}
    for letter, run in (("A", comparison.a), ("B", comparison.b)):
        named[f"{letter}  {Path(run.run).resolve().name}"] = run.curve
    titles = dict.fromkeys((comparison.a.what, comparison.b.what))
    over = f"\n(sum over ≤ {comparison.horizon} steps)" if comparison.horizon else ""
    label = f"greedy {comparison.team} return{over}"
    drawn = overlay(path, named, ", ".join(titles), label)
    return replace(comparison, picture=str(path) if drawn else None)


def draw_ablation(ablation: Ablation) -> Ablation:
    """Draw the curves of all finished runs, and return the ablation with its picture."""
    done = [cell for cell in ablation.cells if cell.team_return]
    if not done:
        return ablation
    team = done[0].team
    named: dict[str, LearningCurve] = {}
    for cell in done:
        named[cell.name] = curves(list(RunFolder(cell.run).rows()), f"eval/return/{team}")
    path = Path(ablation.path) / "ablation.png"
    algorithms = dict.fromkeys(cell.algorithm for cell in ablation.cells)
    title = f"{', '.join(algorithms)} on {ablation.environment}"
    drawn = overlay(path, named, title, f"greedy {team} return")
    return replace(ablation, picture=str(path) if drawn else None)


def draw_crossplay(crossplay: Crossplay, folder: str | Path) -> Crossplay:
    """Draw the tables of a crossplay, and return it with its picture."""
    path = Path(folder) / "crossplay.png"
    match_tables(path, crossplay.tables, crossplay.names, crossplay.side, crossplay.against)
    return replace(crossplay, files=(*crossplay.files, path))


def draw_sweep(sweep: Sweep) -> list[Path]:
    """Draw each environment's trials in their order, and the best so far."""
    paths = []
    for environment in sweep.plan.environments:
        ended = [t for t in sweep.trials if t.environment == environment and t.score is not None]
        path = Path(sweep.path) / f"{environment.replace('/', '-').replace(':', '-')}.png"
        scores = [trial.score or 0.0 for trial in ended]
        finished = [trial.status == "finished" for trial in ended]
        if ended:
            best_so_far(path, scores, finished, f"{sweep.plan.search} search on {environment}")
            paths.append(path)
    return paths
