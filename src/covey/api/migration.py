"""The command for those who come from elsewhere: `migrate`."""

from typing import TYPE_CHECKING

from ..commands import command

if TYPE_CHECKING:
    from ..migrate import Translation


@command(json=True)
def migrate(text: str) -> "Translation":
    """Translate a command of PyMARL, EPyMARL, PyMARL2, on-policy or XuanCe.

    It prints covey's command, and what became of every setting: taken over, of another meaning, or missing.

    Args:
        text (COMMAND): the command in quotes, a get_runner(...) call, or the path of a XuanCe YAML file
    """
    from ..migrate import translate_command

    return translate_command(text)
