"""Files to begin with: a world, a mixer, an algorithm of the user's own."""

from pathlib import Path
from string import Template
from typing import NamedTuple

from ..errors import UserError
from ..files import atomic

_FOLDER = Path(__file__).with_name("templates")


class _Kind(NamedTuple):
    """A kind of file: the template, the name in it that commands take, and the command that trains it."""

    template: str
    made: str
    train: str


_KINDS = {
    "world": _Kind("world", "$function", "covey train qmix $file:$function --steps 100000"),
    "python-world": _Kind("python_world", "$Name", "covey train qmix $file:$Name --steps 20000"),
    "mixer": _Kind("mixer", "$Name", "covey train qmix spread mixer=$file:$Name --steps 200000"),
    "algorithm": _Kind("algorithm", "$Name", "covey train $file:$Name spread --steps 200000"),
}


class NewFile:
    """A file that `new` has written."""

    def __init__(self, path: Path, check: str, train: str):
        self.path = path
        self.check = check
        self.train = train

    def __str__(self) -> str:
        return f"wrote {self.path}\ncheck it:  {self.check}\ntrain it:  {self.train}"


def write_template(kind: str, name: str) -> NewFile:
    """Write a file named after a class or a function; refuse to overwrite one."""
    if kind not in _KINDS:
        raise UserError(f"there is no template for '{kind}': there are {', '.join(_KINDS)}")
    function = _snake_case(name.removesuffix(".py"))
    if not function.isidentifier():
        raise UserError(f"'{name}' cannot name a class: use letters, digits and underscores, as in my_{kind}")
    path = Path(f"{function}.py")
    if path.exists():
        raise UserError(f"{path} exists already: name another, or move it away")
    words = {
        "file": path.name,
        "function": function,
        "Name": "".join(word[:1].upper() + word[1:] for word in function.split("_")),
    }
    chosen = _KINDS[kind]
    text = Template((_FOLDER / f"{chosen.template}.txt").read_text(encoding="utf-8")).substitute(words)
    with atomic(path, str(path)) as file:
        file.write(text.encode())
    fill = lambda text: Template(text).substitute(words)
    return NewFile(path, fill(f"covey check $file:{chosen.made}"), fill(chosen.train))


def _snake_case(name: str) -> str:
    """Return `MyWorld` as `my_world`."""
    letters = [
        f"_{letter.lower()}" if letter.isupper() and i and name[i - 1].islower() else letter.lower()
        for i, letter in enumerate(name)
    ]
    return "".join(letters).replace("-", "_")
