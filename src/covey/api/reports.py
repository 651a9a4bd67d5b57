"""Commands that show what runs found: `report`, `plot`, `export`, `sync`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ..commands import NumberText, command
from ..config.trust import heeds_trust
from ..errors import UserError
from ..ranges import Index
from ..runs import launch
from ..runs.folder import RunFolder
from .results import RunPath, WrittenFile

_NAME = "report.html"


@command()
def report(
    runs: Sequence[RunPath],
    *,
    out: RunPath | None = None,
    replay: bool = True,
    watch: bool = False,
    port: Index = 0,
    say: Callable[[str], None] | None = None,
) -> WrittenFile:
    """Write one page on runs: a verdict, curves, a replay, settings, data.

    A folder that holds runs, as `covey ablate` makes one, stands for all of them. The page needs no network.

    Args:
        runs (RUN): the runs' folders, or folders of runs
        out (FILE): the page (report.html: in the folder, if there is one)
        replay: let the trained agents play
        watch: serve the page on this machine while training goes on, until Ctrl-C; then write it
        port (N): with --watch: the port to serve it at (one that is free)
        say: receives a line for each group that plays
    """
    paths = list(runs)
    launch.prepare("cpu")
    from ..show.report import LiveReport, check_page_path, write_report

    file = Path(out) if out else (Path(paths[0]) if len(paths) == 1 else Path()) / _NAME
    check_page_path(file)
    if watch:
        server = LiveReport(paths, port)
        print(f"watch: {server.address} (Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return WrittenFile(write_report(paths, file, replay, say or (lambda line: None)), "report")


@command()
def plot(
    runs: Sequence[RunPath], *, out: RunPath = "figure.pdf", by: Literal["env", "all"] | None = None
) -> WrittenFile:
    """Draw the figure of a paper: curves by world, or aggregates over worlds.

    Aggregates are those of rliable: interquartile mean, optimality gap, performance profiles, sample
    efficiency, probability of improvement.

    Args:
        runs (RUN): the runs' folders, or folders of runs
        out (FILE): a .pdf, .svg or .png (figure.pdf)
        by: a panel for each environment, or aggregates over all (where there are several worlds: all)
    """
    launch.prepare("cpu")
    from ..show.figures import check_figure_path, draw_figure

    check_figure_path(Path(out))
    return WrittenFile(draw_figure(runs, Path(out), by), "figure")


@command()
@heeds_trust
def export(
    runs: Sequence[RunPath],
    *,
    csv: bool = False,
    marl_eval: bool = False,
    rliable: bool = False,
    agent: str | None = None,
    player: bool = False,
    onnx: bool = False,
    weights: bool = False,
    seed: Index | None = None,
    at: NumberText | None = None,
    out: RunPath | None = None,
    trust: bool = False,
) -> WrittenFile:
    """Write what runs measured for other tools, or what they learned.

    An agent's file is a zip of NumPy arrays, named in agent.json; `covey train … --from FILE` starts from it.
    A player is a Python file that needs NumPy alone and acts as the policy does; its weights lie beside it.

    Args:
        runs (RUN): the runs' folders, or folders of runs
        csv: a row for each metric, report and seed (curves.csv)
        marl_eval: evaluations as marl-eval reads them (marl_eval.json)
        rliable: matrices of scores by algorithm, runs by tasks (rliable.json)
        agent (NAME): one agent's networks, such as those of adversary_0 (RUN/NAME.npz)
        player: the policy as safetensors, and a player of it in NumPy (player.safetensors, player.py)
        onnx: the policy as an ONNX graph (policy.onnx)
        weights: all networks as safetensors (weights.safetensors)
        seed (K): one of the run's seeds, counted from 0 (0; of an agent all: the first axis of arrays)
        at (STEP|best|last): the checkpoint: the step of one that was kept, best or last (last)
        out (FILE): another file
        trust: run the Python code that a run from elsewhere names
    """
    data = {"csv": csv, "marl-eval": marl_eval, "rliable": rliable}
    chosen = data | {"player": player, "onnx": onnx, "weights": weights, "agent": agent is not None}
    kind = _only_format([kind for kind, wanted in chosen.items() if wanted])
    paths = list(runs)
    if kind not in data:
        if len(paths) != 1:
            raise UserError(f"--{kind} is of one run: name one")
        return _export_learned(paths[0], kind, agent, seed, at, out)
    if seed is not None or at is not None:
        raise UserError("--seed and --at choose among networks: add --player, --onnx, --weights or --agent")
    launch.prepare("cpu")
    from ..show.exports import export_data

    names = {"csv": "curves.csv", "marl-eval": "marl_eval.json", "rliable": "rliable.json"}
    file = Path(out or names[kind])
    return WrittenFile(export_data(paths, kind, file), "data")  # pyright: ignore[reportArgumentType]


def _only_format(chosen: Sequence[str]) -> str:
    """Return the one format that was chosen."""
    if len(chosen) != 1:
        raise UserError(
            "choose one format: --csv, --marl-eval, --rliable, --player, --onnx or --weights, or one --agent"
        )
    return chosen[0]


def _export_learned(
    run: RunPath,
    kind: str,
    agent: str | None,
    seed: int | None,
    at: NumberText | None,
    out: RunPath | None,
) -> WrittenFile:
    """Write a run's networks: an agent's, those that act, or all."""
    RunFolder.existing(run)
    launch.prepare("cpu")
    if agent is not None:
        from ..runs.agent_file import export_agent

        return WrittenFile(export_agent(run, agent, out, seed, at), "agent")
    from ..show.player import export_onnx, export_player, export_weights

    if kind == "onnx":
        return WrittenFile(export_onnx(run, Path(out or "policy.onnx"), seed or 0, at), "graph")
    file = Path(out or f"{kind}.safetensors")
    if kind == "weights":
        return WrittenFile(export_weights(run, file, seed or 0, at), "weights")
    return WrittenFile(export_player(run, file, seed or 0, at), f"weights: {file}\nplayer")


@command()
def sync(run: RunPath, sink: str) -> str:
    """Send all metrics of a run to a sink, from its first row on.

    Args:
        run (RUN): the run's folder
        sink (SINK): wandb, mlflow, or file.py:Class
    """
    folder = RunFolder.existing(run)
    launch.prepare("cpu")
    from ..runs.sinks import send_run

    return f"{send_run(folder, sink, print):,} rows of {folder.path} to {sink}"
