"""The fields of a configuration as they are given: in a file, in a run's folder, in a mapping, as text."""

from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from .. import yaml_text
from ..errors import RUN_FIELD, SettingError, UserError
from ..ranges import bare
from ..text import nearest
from . import settings
from .imported import refuse_imported
from .options import as_typed, option
from .paths import find_config, replace_files
from .renamed import RENAMED_FIELDS
from .settings import SettingPlace
from .trust import check_trust

FieldKinds = Mapping[str, Any]  # the type of each field


def check_fields(values: Mapping[str, Any], where: str, kinds: FieldKinds) -> dict[str, Any]:
    """Return fields of `Config`, each of its type. The command line gives numbers as text."""
    checked = {}
    for name, value in settings.dump(values).items():
        if name in RENAMED_FIELDS:
            new = RENAMED_FIELDS[name]
            raise UserError(f"{where}: '{name}' is called '{new}': write {new} in its place")
        if name not in kinds:
            raise UserError(f"{where}: there is no '{name}'{nearest(str(name), kinds)}")
        if isinstance(value, str) and _is_whole(kinds[name]):
            value = yaml_text.parse(value, option(name))
        checked[name] = settings.coerce(kinds[name], value, SettingPlace("", f"{RUN_FIELD}{name}"))
    return checked


def _is_whole(kind: Any) -> bool:
    """Say whether a field is a whole number, or may be one or nothing."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return {bare(each) for each in kinds} - {NoneType} == {int}


def read_base(base: Any, kinds: FieldKinds) -> dict[str, Any]:
    """Return the fields of a run's folder, of a YAML file, or of a mapping."""
    if isinstance(base, Mapping):
        return check_fields(base, "config", kinds)
    path = Path(base)
    return read_fields(find_config(path) if path.is_dir() else path, kinds)


def read_fields(path: Path, kinds: FieldKinds, of_run: bool = False) -> dict[str, Any]:
    """Read a YAML file. A user's file that it names may lie beside it, else in the working directory.

    What a run folder names is refused unless it was made here, or is trusted.
    """
    tree = yaml_text.read_file(path)
    refuse_imported(path, tree)
    if of_run or (path.parent / "run.json").exists():
        check_trust(path.parent, tree)
    beside = lambda file: path.parent / file if (path.parent / file).is_file() else file
    try:
        fields_there = check_fields(replace_files(tree, beside), str(path), kinds)
        for team, learner in fields_there.get("learners", {}).items():
            settings.coerce(dict, learner, SettingPlace("", f"learners.{team}"))
        return fields_there
    except UserError as error:
        raise in_file(path, error) from error


def in_file(path: Path, error: UserError) -> UserError:
    """Return an error that names the file in which the setting stands."""
    as_key = lambda setting: as_typed(setting.removeprefix(RUN_FIELD))
    sentence = error.phrased(as_key) if isinstance(error, SettingError) else str(error)
    return error if str(path) in sentence else UserError(f"{path}: {sentence}")
