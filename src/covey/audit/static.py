"""What is known before training: settings that nobody reads, modules that cannot learn, detached terms."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_origin

from .. import yaml_text
from ..config import catalogue, config, making, settings
from ..config.settings import Tree
from ..config.tuned import tuned_settings
from ..core import Spec
from ..errors import UserError
from .fields import OFF, Field, Question, Verdict, attempt, fields_of, others, refuse_text
from .modules import FOLLOWS, STAYS, Module, Structure
from .subjects import Subject, World


@dataclass
class Told:
    """What was found out, in good order."""

    settings: list[Verdict] = field(default_factory=list)
    structures: dict[str, Structure] = field(default_factory=dict)  # of each side that learns
    terms: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)  # by choice


def examine(run: config.Config, trainer: Any, everything: bool = False) -> Told:
    """Refuses what is certainly a defect.

    Tracing costs time, so what covey's tests prove is left out unless `everything` is wanted: of covey's own
    algorithms and worlds settings that nobody chose; of its parts, in whatever algorithm, all but the first.
    """
    told = Told()
    tuned = tuned_settings((tree["name"] for tree in run.learners.values()), run.environment)[0]
    tuned = tuned if run.preset == "tuned" else {}
    for slot in trainer.slots:
        if not slot.algorithm.experience.updates:
            continue
        subject = Subject(slot, trainer.spec, trainer.copies, trainer.length)
        prefix = f"{slot.name}." if len(run.learners) > 1 else ""
        question = asked(run.learners[slot.name], tuned, subject)
        refuse_text(question.fields, prefix)
        structure = Structure(subject)
        told.structures[slot.name] = structure
        told.terms += [f"{prefix}{name}" for name in check_terms(structure)]
        told.off += [f"{prefix}{name}" for name in check_modules(structure, question)]
        cls = making.algorithm_class(run.learners[slot.name]["name"])
        told.settings += judged(question, not everything, ours(cls), prefix)
        told.off += [f"{prefix}{f.path}" for f in question.fields if is_off(f)]
    told.settings += examine_world(run, everything)
    return told


def ours(thing: Any) -> bool:
    return thing.__module__.startswith("covey.")


def asked(tree: Tree, tuned: dict[str, Tree], subject: Subject) -> Question:
    """What is to be known of a learner's settings."""
    name = tree["name"]
    default = making.without_name(making.make_algorithm(name, tuned.get(name, {}))[1])
    mine = making.without_name(tree)

    def make(tree: Tree, flipped: bool) -> Subject:
        algorithm = making.make_algorithm(name, tree)[0]
        world = other_kind(subject.world, algorithm) if flipped else subject.world
        length = algorithm.experience.rollout_length(world, subject.copies)
        slot = replace(subject.slot, algorithm=algorithm)
        return replace(subject, slot=slot, world=world, length=length, like=subject)

    return Question(make, mine, default, fields_of(making.algorithm_class(name), mine))


def other_kind(spec: Spec, algorithm: Any) -> Spec:
    """The same world with continuous instead of discrete actions, or the other way round."""
    bounds = None if spec.bounds else (-1.0, 1.0)
    if not (algorithm.traits.continuous if bounds else algorithm.traits.discrete):
        raise ValueError("it has no such actions")
    return Spec(
        spec.names, spec.features, spec.actions, spec.horizon, spec.state, bounds, spec.team, spec.others
    )


def examine_world(run: config.Config, everything: bool) -> list[Verdict]:
    make = catalogue.load_class(catalogue.find("environment", run.environment))

    def build(tree: Tree, flipped: bool) -> World:
        if flipped:
            raise ValueError("a world has the actions that it has")
        return World(making.make_environment(run.environment, tree)[0])

    default = attempt(lambda: making.make_environment(run.environment)[1])
    question = Question(
        build, run.env, default if isinstance(default, dict) else {}, fields_of(make, run.env)
    )
    refuse_text(question.fields, "env.")
    if build(run.env, False).hosted:  # what a Python program reads cannot be seen
        return []
    return judged(question, not everything, ours(make), "env.")


def proven(question: Question, f: Field, shipped: bool) -> bool:
    """Whether covey's tests have shown that this setting is read: nobody chose it, and it is covey's own."""
    if question.chosen(f):
        return False
    parts = [g for g in question.fields if isinstance(g.value, dict) and f.path.startswith(f"{g.path}.")]
    if not parts:
        return shipped
    if ":" in str(parts[-1].value.get("name")):
        return False
    first = next(
        g for g in question.fields if g.path.startswith(f"{parts[0].path}.") and not isinstance(g.value, dict)
    )
    return shipped or f.path != first.path


def judged(question: Question, sparing: bool, shipped: bool, prefix: str) -> list[Verdict]:
    """Verdicts, if none of them stops the run."""
    verdicts = question.verdicts(lambda f: not proven(question, f, shipped) if sparing else True)
    for f, read, chosen, when in verdicts:
        value = f"{prefix}{f.path}={yaml_text.inline(f.value)}"
        if not read and when is None:
            raise UserError(
                f"{value} changes nothing: with another value all that acts and learns is traced to the same "
                f"program, so nobody reads it, or what is made of it goes nowhere; use it or remove it {OFF}"
            )
        if not read and chosen:
            raise UserError(
                f"{value} changes nothing here: it acts {when}; set that too, or leave it out {OFF}"
            )
    return [v._replace(field=v.field._replace(path=prefix + v.field.path)) for v in verdicts]


def is_off(f: Field) -> bool:
    """A coefficient that is 0 by choice."""
    number = isinstance(f.value, int | float) and not isinstance(f.value, bool)
    return number and f.value == 0 and (f.kind is float or f.path.endswith(".value"))


def check_terms(structure: Structure) -> set[str]:
    """The named terms of its losses."""
    named, with_gradient = structure.terms()
    for name in sorted(named - with_gradient):
        raise UserError(
            f"the loss term {name} has a value but no gradient: all of it is detached, perhaps by a "
            f"stop_gradient too many (around a ratio, or around the whole term) {OFF}"
        )
    return named


def check_modules(structure: Structure, question: Question) -> list[str]:
    """Refuses modules that cannot learn or follow; names those that stay as they are by choice."""
    anatomy = structure.anatomy
    by_choice: dict[str, str] = {}
    for module in anatomy.largest({m.name: not structure.called(m) for m in anatomy.modules}):
        if (switch := switched(module, question, Structure.called)) is None:
            raise UserError(f"{module.name} {not_called(module)} {OFF}")
        by_choice[module.name] = switch
    for module in anatomy.modules:
        if module.says(FOLLOWS) and (twin := structure.twin(module)):
            raise UserError(
                f"{module.name} is {twin.name} itself: update returns the one for the other, so targets are "
                f"the network's own values; return self.target(online, target, updates) in its place {OFF}"
            )
    stays = anatomy.largest({m.name: structure.returned(m) for m in anatomy.modules})
    meant = [m for m in stays if m.says(*STAYS)]
    moves = lambda structure, module: not structure.returned(module)
    for module in [m for m in stays if m not in meant and m.name not in by_choice]:
        if (switch := switched(module, question, moves)) is None:
            remembered = bool(module.leaves[0] in anatomy.remembered)
            raise UserError(f"{module.name} {unmoved(module, remembered)} {OFF}")
        by_choice[module.name] = switch
    return [m.name for m in meant] + [f"{name} ({switch})" for name, switch in by_choice.items()]


def not_called(module: Module) -> str:
    if module.says(FOLLOWS):
        return "is never read: no update depends on it; give it, not the network that learns, to the loss"
    return "is never called: neither acting nor learning depends on it; call it where its output belongs"


def unmoved(module: Module, remembered: bool) -> str:
    if module.says(FOLLOWS):
        return "never follows: update returns it as it was; return self.target(online, target, updates)"
    if remembered:
        return (
            "never moves: an optimiser holds moments for it, but update returns it as it was; return what "
            "ops.descend gave"
        )
    return (
        "never moves: update returns it as it was, and no optimiser holds moments for it; give it to "
        "ops.moments and ops.descend (or, if it is meant to stay, name it frozen_…)"
    )


def switched(module: Module, question: Question, alive: Callable[[Structure, Module], bool]) -> str | None:
    """The setting that puts it out of work: with another value it is alive."""
    for f, make in switches(question):
        other = attempt(lambda make=make: Structure(make()))
        same = (
            [m for m in other.anatomy.modules if m.name == module.name]
            if isinstance(other, Structure)
            else []
        )
        if same and alive(other, same[0]):
            return f"{f.path}={yaml_text.inline(f.value)}"
    return None


def switches(question: Question) -> Iterator[tuple[Field, Callable[[], Subject]]]:
    """Settings that are off, and modes that somebody chose; the learner with each of them otherwise.

    What somebody chose comes first, for that is likeliest to be the cause, and each learner takes a second.
    """
    for f in sorted(question.fields, key=lambda f: not question.chosen(f)):
        mode = get_origin(f.kind) is Literal and question.chosen(f)
        if mode or f.value is False or f.value is None or f.value == 0:
            for other in others(f.kind, f.value):
                tree = settings.layer(question.tree, {f.path: other})
                yield f, lambda tree=tree: question.make(tree, False)
