"""Command lines of PyMARL, EPyMARL, PyMARL2, on-policy and XuanCe: migrated, and run as they are printed.

    python -m benchmarks.migrated

Each stands in a readme, a script or a configuration of its library. `covey migrate` translates it, and the
command that it prints is typed, cut to a few thousand steps of one seed. With --json FILE, lines that the
file knows are not run again.
"""

import contextlib
import io
import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import covey
from covey.cli import main as covey_main
from covey.migrate import Translation, translate_command

from .common import parse_options, print_table, save_results
from .migrated_commands import LINES, Line

SHORT = {"--seeds": "1", "--eval-episodes": "2", "--eval-every": "1000000000"}
ALONE = ["--no-report", "--no-audit", "--quiet"]


def translate(line: Line, folder: Path) -> Translation:
    """Translate a line; the file that it reads is written into a folder."""
    path = folder / "settings.yaml"
    path.write_text(line.file)
    return translate_command(line.command.replace("{file}", str(path)))


def shorten(command: str, steps: int, out: Path) -> list[str]:
    """Return the words of a printed command, with fewer steps and another folder."""
    words = shlex.split(command)[1:]
    ours = SHORT | {"--steps": str(steps), "--out": str(out)}
    for option, value in ours.items():
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    return words + ALONE


def run_line(line: Line, steps: int) -> dict[str, Any]:
    """Migrate a line, and run what is printed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        translation = translate(line, folder)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = covey_main(shorten(translation.command, steps, folder / "run"))
        found = {"library": line.library, "from": line.place, "command": translation.command}
        if status:
            return found | {"error": said.getvalue().strip()}
        summary = covey.Run(folder / "run").summary
    counts = [len(translation.taken), len(translation.changed), len(translation.lacking)]
    return found | {
        "settings": counts,
        "steps": summary["steps"],
        "updates": summary["updates"],
        "return": summary["eval"]["team_return"]["mean"],
    }


def known_results(path: Path | None) -> dict[str, dict[str, Any]]:
    """Return the results that a file holds, by the command that was run."""
    found = json.loads(path.read_text())["results"] if path and path.exists() else []
    return {result["command"]: result for result in found}


def row(found: dict[str, Any]) -> dict[str, str]:
    """Return a row of the table."""
    taken, changed, missing = map(str, found.get("settings", ("–", "–", "–")))
    return {
        "library": found["library"],
        "from": found["from"],
        "covey": " ".join(found["command"].split()[2:4]),
        "taken": taken,
        "changed": changed,
        "not there": missing,
        "steps": f"{found['steps']:,}" if "steps" in found else found["error"],
        "updates": str(found.get("updates", "–")),
    }


def main() -> None:
    options = parse_options(
        __doc__ or "", None, **{"--steps": {"type": int, "default": 8000, "help": "of one seed (8000)"}}
    )
    found = known_results(options.json)
    commands = []
    for line in LINES:
        with tempfile.TemporaryDirectory() as folder:
            commands.append(translate(line, Path(folder)).command)
        print(f"{line.library}, {line.place}\n  {commands[-1]}", flush=True)
        if commands[-1] not in found:
            found[commands[-1]] = run_line(line, options.steps)
            save_results(options.json, list(found.values()))
    results = [found[command] for command in commands]
    print_table([row(result) for result in results])
    sys.exit(1 if any("error" in result or not result["updates"] for result in results) else 0)


if __name__ == "__main__":
    main()
