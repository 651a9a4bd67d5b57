"""Commands for those who come from elsewhere: `migrate`, `import`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..commands import command
from ..ranges import Count
from ..runs import launch
from .results import RunPath

if TYPE_CHECKING:
    from ..migrate import Translation
    from ..migrate.importing import Imported


@command(json=True)
def migrate(text: str) -> "Translation":
    """Translate a command of PyMARL, EPyMARL, PyMARL2, on-policy or XuanCe.

    It prints covey's command, and what became of every setting: taken over, of another meaning, or missing.

    Args:
        text (COMMAND): the command in quotes, a get_runner(...) call, or the path of a XuanCe YAML file
    """
    from ..migrate import translate_command

    return translate_command(text)


@command("import")
def import_results(
    results: RunPath,
    *,
    out: RunPath = "runs/imported",
    environment: str | None = None,
    env: Mapping[str, Any] | None = None,
    algorithm: str | None = None,
    metric: str | None = None,
    divide: Count = 1,
) -> "Imported":
    """Import results of PyMARL, EPyMARL, XuanCe or TensorBoard as runs.

    They stand in `covey compare`, `report` and `plot` beside new ones. They have curves and no policy, so
    they are not evaluated or resumed.

    Args:
        results (RESULTS): a folder or file: sacred's info.json, learning_curve.csv, TensorBoard's event files
        out (DIR): the folder of the runs (runs/imported)
        environment (--env ENV): the world by covey's name, to stand beside runs in it
        env (env.key=value): settings of that world
        algorithm (NAME): the algorithm's name, where the results do not tell it
        metric (NAME): the series that is the evaluation's return
        divide (N): divide returns by N, such as the number of agents whose rewards were summed (1)
    """
    launch.prepare("cpu")
    from ..migrate.importing import ImportChoices, import_runs
    from ..show.plot import learning_curve

    choices = ImportChoices(environment, dict(env or {}), algorithm, metric, divide)
    return import_runs(Path(results), Path(out), choices, learning_curve)
