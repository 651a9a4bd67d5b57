"""Errors: fields below, keys and options above."""

import ast
import re
from pathlib import Path

import covey
from covey.config.options import command_line_sentence
from covey.errors import SettingError, UserError

ERROR = SettingError(
    "window",
    "cuts episodes",
    "set `window=None`, `whole=True`, or use fewer copies (`run.envs`)",
    value=3,
)


# Catches a field that loses its place, or an option of the run that gains one.
def test_a_place_is_put_before_every_field():
    said = str(ERROR.within("experience").within("wolf"))
    assert said == (
        "wolf.experience.window=3 cuts episodes: set wolf.experience.window=None, "
        "wolf.experience.whole=True, or use fewer copies (envs)"
    )


# Catches Python's words on a command line, or options of the command line in Python.
def test_each_floor_writes_settings_in_its_own_way():
    assert str(ERROR) == "window=3 cuts episodes: set window=None, whole=True, or use fewer copies (envs)"
    assert command_line_sentence(ERROR) == (
        "window=3 cuts episodes: set window=null, whole=true, or use fewer copies (--envs)"
    )
    assert command_line_sentence(SettingError("run.eval_every", "must be at least 1, not 0", "")) == (
        "--eval-every must be at least 1, not 0"
    )
    assert command_line_sentence(SettingError("run.source", "is no run", "give `run.seed=3`")) == (
        "--from is no run: give --seed 3"
    )
    assert command_line_sentence(UserError("as it is")) == "as it is"


BELOW = ("core", "parts", "ops", "experience", "networks", "training", "environments", "algorithms")
# An option, a setting of the environment; and key=value, which a SettingError marks.
TYPED = {"UserError": re.compile(r"--\w|\benv\.|\w="), "SettingError": re.compile(r"--\w|\benv\.")}


# Catches a class that tells a Python user what to type on a command line.
def test_below_the_configuration_errors_speak_of_fields():
    source = Path(covey.__file__).parent
    for path in (path for room in BELOW for path in (source / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in TYPED:
                texts = [str(x.value) for x in ast.walk(node) if isinstance(x, ast.Constant)]
                assert not TYPED[name].search(" ".join(texts)), f"{path.name}, line {node.lineno}"
