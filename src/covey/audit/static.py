"""Checks before training: unread settings, modules that cannot learn, loss terms without gradient."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from .. import yaml_text
from ..config import making, settings
from ..config.config import Config
from ..config.settings import Tree
from ..config.tuned import preset_settings
from ..core import Spec
from ..errors import UserError
from ..parts import AbstractSchedule
from ..ranges import bare
from .lifting import numbers_in
from .module_checks import check_modules
from .modules import LearnerStructure
from .settings_read import (
    NO_AUDIT,
    Setting,
    attempt,
    refuse_truth_as_text,
    settings_in_tree,
)
from .source import Source
from .suspicions import Suspicions
from .traced import TracedLearner
from .traced_world import TracedEnvironment
from .tried import NOT_FOUND, SettingVerdict, TriedSettings


@dataclass
class StaticFindings:
    """Facts about a run that is in order."""

    settings: list[SettingVerdict] = field(default_factory=list)
    structures: dict[str, LearnerStructure] = field(default_factory=dict)  # by the slot of each that learns
    terms: list[str] = field(default_factory=list)  # of losses, by name
    off: list[str] = field(default_factory=list)  # by choice
    told: list[str] = field(default_factory=list)  # what is probably wrong, and may be meant


def examine(run: Config, trainer: Any, everything: bool = False) -> StaticFindings:
    """Examine a run's settings, modules and losses; refuse certain defects.

    Tracing takes time, so settings that covey's tests cover are left out unless `everything` is wanted: of
    covey's own algorithms and worlds, the settings that nobody chose; of its parts, all but the first.
    """
    findings = StaticFindings()
    names = [tree["name"] for tree in run.learners.values()]
    preset = preset_settings(names, run.environment, run.preset)[0]
    for slot in trainer.slots:
        if not slot.learns:
            continue
        prefix = f"{slot.name}." if len(run.learners) > 1 else ""
        coveys = _is_coveys(making.algorithm_class(run.learners[slot.name]["name"]))
        wanted = partial(_is_wanted, coveys=coveys, everything=everything)
        traced = TracedLearner(slot, trainer.spec, trainer.copies, trainer.length)
        tried, traced = learner_settings(run.learners[slot.name], preset, traced, wanted)
        refuse_truth_as_text(tried.settings, prefix)
        structure = LearnerStructure(traced)
        suspicions = Suspicions(structure, TracedEnvironment(trainer.env))
        findings.structures[slot.name] = structure
        findings.terms += [f"{prefix}{name}" for name in sorted(_check_terms(structure))]
        findings.off += [f"{prefix}{name}" for name in check_modules(structure, tried, suspicions)]
        findings.settings += _check_settings(tried, wanted, prefix, everything)
        whose = f"{slot.name}: " if prefix else ""
        findings.told += [f"{whose}{note}" for note in suspicions.notes()]
        findings.off += [f"{prefix}{setting.path}" for setting in tried.settings if _is_off(setting)]
    findings.settings += _check_environment(run, everything)
    return findings


def _is_coveys(thing: Any) -> bool:
    return thing.__module__.startswith("covey.")


Wanted = Callable[[TriedSettings, Setting], bool]  # whether a setting is tried


def learner_settings(
    tree: Tree, tuned: dict[str, Tree], traced: TracedLearner, wanted: Wanted = lambda tried, setting: True
) -> tuple[TriedSettings, TracedLearner]:
    """Return a learner's settings with a way to trace it with others, and the learner traced with its own."""
    name = tree["name"]
    default = making.without_name(making.make_algorithm(name, tuned.get(name, {}))[1])
    own = making.without_name(tree)
    cls = making.algorithm_class(name)
    make = lambda tree: making.make_algorithm(name, tree)[0]

    def trace(tree: Tree, flipped: bool, lifted: bool) -> TracedLearner:
        if lifted and not flipped and tree == own:
            return settled
        algorithm = make(tree)
        world = _with_other_actions(traced.world, algorithm) if flipped else traced.world
        length = algorithm.experience.rollout_length(world, traced.copies)
        slot = replace(traced.slot, algorithm=algorithm)
        numbers = numbers_in(algorithm, settled.numbers) if lifted else {}
        return replace(traced, slot=slot, world=world, length=length, like=settled, numbers=numbers)

    listed = settings_in_tree(cls, own)
    of_parts = _of_parts(name, tuned.get(name, {}), listed) or default
    tried = TriedSettings(
        trace, make, own, default, of_parts, listed, Source.of(cls), _promoted_by_covey(cls)
    )
    paths = [s.path for s in tried.settings if wanted(tried, s) and not s.path.startswith("experience.")]
    settled = replace(traced, numbers=numbers_in(traced.algorithm, paths)).settled()
    return tried, settled


def _promoted_by_covey(cls: Any) -> set[str]:
    """Return the settings of a class that a part of covey's own promotes."""
    parts = {field.name: field.default for field in fields(cls)}
    options = settings.signature_of(cls).items()
    return {name for name, option in options if option.holder and _is_coveys(type(parts[option.holder]))}


def _of_parts(name: str, tuned: Tree, listed: list[Setting]) -> Tree:
    """Return the settings of an algorithm with the run's parts, if nobody chooses more than these."""
    parts = {s.path: s.value["name"] for s in listed if isinstance(s.value, dict) and "name" in s.value}
    made = attempt(lambda: making.make_algorithm(name, tuned, parts)[1])
    return making.without_name(made) if isinstance(made, dict) else {}


def _with_other_actions(spec: Spec, algorithm: Any) -> Spec:
    """Return the same world with continuous instead of discrete actions, or the other way round."""
    bounds = None if spec.bounds else (-1.0, 1.0)
    if not (algorithm.traits.continuous if bounds else algorithm.traits.discrete):
        raise ValueError("it has no such actions")
    return replace(spec, bounds=bounds)


def _check_environment(run: Config, everything: bool) -> list[SettingVerdict]:
    """Try the settings of the run's world."""
    cls = making.environment_maker(run.environment)
    wanted = partial(_is_wanted, coveys=_is_coveys(cls), everything=everything)
    make = lambda tree: making.make_environment(run.environment, tree)[0]

    def trace(tree: Tree, flipped: bool, lifted: bool) -> TracedEnvironment:
        if flipped:
            raise ValueError("a world has the actions that it has")
        env = make(tree)
        paths = [s.path for s in tried.settings if lifted and wanted(tried, s)]
        return TracedEnvironment(env, numbers_in(env, paths))

    default = attempt(lambda: making.make_environment(run.environment)[1])
    default = default if isinstance(default, dict) else {}
    listed = settings_in_tree(cls, run.env)
    tried = TriedSettings(trace, make, run.env, default, default, listed, Source.of(cls))
    refuse_truth_as_text(tried.settings, "env.")
    if trace(run.env, False, False).on_host:  # nothing shows what a Python program reads
        return []
    return _check_settings(tried, wanted, "env.", everything)


def _is_wanted(tried: TriedSettings, setting: Setting, coveys: bool, everything: bool) -> bool:
    """Say whether a setting is tried: covey's own tests show that the others are read."""
    return everything or not _is_tested_by_covey(tried, setting, coveys)


def _is_tested_by_covey(tried: TriedSettings, setting: Setting, coveys: bool) -> bool:
    """Say whether covey's own tests show that a setting is read: it is covey's own, and nobody chose it."""
    if tried.is_chosen(setting):
        return False
    promoted = setting.path.split(".")[0] in tried.promoted
    parts = [s for s in tried.settings if isinstance(s.value, dict) and setting.path.startswith(f"{s.path}.")]
    if not parts:
        return coveys or promoted
    if ":" in str(parts[-1].value.get("name")):
        return False
    kind = settings.part_of(parts[-1].kind)
    if not (coveys or promoted) and kind is not None and issubclass(kind, AbstractSchedule):
        return False
    outer = f"{parts[0].path}."
    first = next(s for s in tried.settings if s.path.startswith(outer) and not isinstance(s.value, dict))
    return coveys or promoted or setting.path != first.path


def _check_settings(
    tried: TriedSettings, wanted: Wanted, prefix: str, everything: bool
) -> list[SettingVerdict]:
    """Return the verdicts on settings; refuse one that nobody reads, and a chosen one without effect.

    Of everything some is idle in any one world, so nothing is refused.
    """
    verdicts = tried.verdicts(partial(wanted, tried))
    for setting, read, chosen, condition in verdicts:
        name = f"{prefix}{setting.path}={yaml_text.inline(setting.value)}"
        if not read and condition is None and not everything:
            raise UserError(
                f"{name} changes nothing: with another value, everything that acts and learns is traced to "
                "the same program, so nobody reads it, or its result is not used; use it or remove it "
                f"{NO_AUDIT}"
            )
        if not read and chosen:
            remedy = "leave it out" if condition == NOT_FOUND else "set that too, or leave it out"
            raise UserError(f"{name} changes nothing here: it acts {condition}; {remedy} {NO_AUDIT}")
    return [v._replace(setting=v.setting._replace(path=prefix + v.setting.path)) for v in verdicts]


def _is_off(setting: Setting) -> bool:
    """Say whether it is a coefficient that is 0 by choice."""
    number = isinstance(setting.value, int | float) and not isinstance(setting.value, bool)
    return number and setting.value == 0 and (bare(setting.kind) is float or setting.path.endswith(".value"))


def _check_terms(structure: LearnerStructure) -> set[str]:
    """Return the named terms of the losses; refuse one that has no gradient."""
    terms, with_gradient = structure.loss_terms
    for name in sorted(terms - with_gradient):
        raise UserError(
            f"the loss term {name} has a value but no gradient: all of it is detached, perhaps by a "
            f"stop_gradient too many (around a ratio, or around the whole term) {NO_AUDIT}"
        )
    return terms
