"""Commands of PyMARL, EPyMARL, PyMARL2, on-policy and XuanCe, as covey's. It imports nothing heavy."""

import shlex
from pathlib import Path

from .. import yaml_text
from ..errors import UserError
from .on_policy import translate_on_policy
from .pymarl import translate_pymarl
from .translation import Translation
from .xuance import translate_xuance, translate_xuance_call

__all__ = ["Translation", "translate_command"]


def translate_command(text: str) -> Translation:
    """Translate a command line, a `get_runner(...)` call, or the path of a XuanCe YAML file."""
    if "get_runner(" in text:
        return translate_xuance_call(text[text.index("get_runner(") :])
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"this command is not understood: {error}; put it into single quotes") from error
    if len(words) == 1 and words[0].endswith((".yaml", ".yml")):
        return translate_xuance(yaml_text.read_file(Path(words[0])))
    script = next((i for i, word in enumerate(words) if word.endswith(".py")), None)
    if script is None:
        raise UserError(
            "this is no command that is known: give 'python src/main.py --config=qmix …' (PyMARL), "
            "'python train_mpe.py …' (on-policy), a XuanCe YAML file, or its get_runner(...) call"
        )
    name = Path(words[script]).name
    rest = words[script + 1 :]
    if name == "main.py":
        return translate_pymarl(rest)
    if name.startswith("train_"):
        return translate_on_policy(name, rest)
    raise UserError(f"{name} is no script that is known: main.py is PyMARL's, train_….py on-policy's")
