"""Settings as a command line writes them. It imports nothing heavy."""

from ..errors import RUN, SettingError, UserError

_OTHERS = {"source": "--from", "preset": "preset", "audit": "--no-audit"}
_WORDS = {"None": "null", "True": "true", "False": "false"}


def option(name: str) -> str:
    """Return the option of the command line that sets a field of the run."""
    return _OTHERS.get(name, f"--{name.replace('_', '-')}")


def typed(setting: str) -> str:
    """Return a setting as it is typed: `window=None` is `window=null`, `run.envs` is `--envs`."""
    path, equals, value = setting.partition("=")
    value = _WORDS.get(value, value)
    if not path.startswith(RUN):
        return path + equals + value
    name = option(path.removeprefix(RUN))
    return f"{name} {value}" if value else name


def sentence(error: UserError) -> str:
    """Return an error's sentence as the command line says it."""
    return error.phrased(typed) if isinstance(error, SettingError) else str(error)
