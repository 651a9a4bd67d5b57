"""Settings as a command line writes them. It imports nothing heavy."""

from ..errors import RUN_FIELD, SettingError, UserError

_OTHERS = {"source": "--from", "preset": "preset", "audit": "--no-audit"} | {
    "tensorboard": "--no-tensorboard"
}
_SWITCHES = ("audit", "tensorboard", "light")
_WORDS = {"None": "null", "True": "true", "False": "false"}


def option(name: str) -> str:
    """Return the option of the command line that sets a field of the run."""
    return _OTHERS.get(name, f"--{name.replace('_', '-')}")


def as_typed(setting: str) -> str:
    """Return a setting as it is typed: `window=None` is `window=null`, `run.envs` is `--envs`."""
    path, equals, value = setting.partition("=")
    value = _WORDS.get(value, value)
    if not path.startswith(RUN_FIELD):
        return path + equals + value
    name = option(path.removeprefix(RUN_FIELD))
    return f"{name} {value}" if value and path.removeprefix(RUN_FIELD) not in _SWITCHES else name


def command_line_sentence(error: UserError) -> str:
    """Return an error's sentence as the command line says it."""
    return error.phrased(as_typed) if isinstance(error, SettingError) else str(error)
