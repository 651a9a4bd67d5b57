"""Checks of modules before training: which cannot learn or follow, and which setting turns them off."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Literal, get_origin

from .. import yaml_text
from ..config import settings
from ..errors import UserError
from .modules import LearnerModule, LearnerStructure
from .settings_read import NO_AUDIT, Setting, attempt, other_values
from .suspicions import Suspicions
from .traced import TracedLearner
from .tried import TriedSettings

_MOST_SWITCHES = 12  # tried, in search of the one that switches a module off


def check_modules(structure: LearnerStructure, tried: TriedSettings, suspicions: Suspicions) -> list[str]:
    """Refuse modules that cannot learn or follow; return those that stay as they are by choice."""
    anatomy = structure.anatomy
    by_choice: dict[str, str] = {}
    for module in anatomy.largest({m.name: not structure.is_called(m) for m in anatomy.modules}):
        if (switch := _switch_of(module, tried, LearnerStructure.is_called)) is None:
            culprit, problem = _culprit(module, structure, suspicions)
            raise UserError(f"{culprit} {problem} {NO_AUDIT}")
        by_choice[module.name] = switch
    for module in anatomy.modules:
        if module.is_target and (twin := structure.twin(module)):
            raise UserError(
                f"{module.name} is {twin.name} itself: update returns the one for the other, so targets are "
                "the network's own values; return self.target(online, target, updates) in its place "
                f"{NO_AUDIT}"
            )
    changes = lambda structure, module: not structure.is_returned_unchanged(module)
    unchanged = anatomy.largest({m.name: not changes(structure, m) for m in anatomy.modules})
    frozen = [m for m in unchanged if m.is_frozen]
    for module in [m for m in unchanged if not m.is_frozen and m.name not in by_choice]:
        if (switch := _switch_of(module, tried, changes)) is None:
            raise UserError(f"{module.name} {_unchanged(module, structure)} {NO_AUDIT}")
        by_choice[module.name] = switch
    return [m.name for m in frozen] + [f"{name} ({switch})" for name, switch in by_choice.items()]


def _culprit(module: LearnerModule, structure: LearnerStructure, suspicions: Suspicions) -> tuple[str, str]:
    """Return what is to blame for a module that nobody calls, and its defect."""
    anatomy = structure.anatomy
    dropped = [m for m in anatomy.modules if m.role is None and structure.is_returned_unchanged(m)]
    dropped = [m for m in dropped if all(i in anatomy.moments for i in m.leaves)]
    if dropped:
        return dropped[0].name, _unchanged(dropped[0], structure)
    if (unlearned := suspicions.unlearned) is not None:
        return unlearned.name, (
            "acts, but is not learned from: no loss depends on what it computes, so "
            f"{module.name} serves nothing either; give its output to the loss, or to the mixer"
        )
    return module.name, _not_called(module)


def _not_called(module: LearnerModule) -> str:
    if module.is_target:
        return (
            "is never read: no update depends on it; give it to the loss in place of the network that learns"
        )
    return "is never called: neither acting nor learning depends on it; call it where its output belongs"


def _unchanged(module: LearnerModule, structure: LearnerStructure) -> str:
    anatomy = structure.anatomy
    if module.is_target:
        return "never follows: update returns it as it was; return self.target(online, target, updates)"
    if (other := anatomy.lookalike(module)) is not None:
        return (
            f"never moves: update returns it as it was; if it should follow {other.name}, wrap it in "
            "covey.core.Target and return self.target(online, target, updates); if it should learn, return "
            "what ops.descend gave; if it is meant to stay, wrap it in covey.core.Frozen"
        )
    if module.leaves[0] in anatomy.moments:
        return (
            "never moves: an optimiser state belongs to it, but update returns it as it was; return what "
            "ops.descend gave"
        )
    return (
        "never moves: update returns it as it was, and no optimiser state belongs to it; give it to "
        "ops.init_opt_state and ops.descend, or wrap it in covey.core.Frozen if it is meant to stay"
    )


def _switch_of(
    module: LearnerModule,
    tried: TriedSettings,
    works: Callable[[LearnerStructure, LearnerModule], bool],
) -> str | None:
    """Return the setting that switches a module off: with another value the module works."""
    for setting, trace in islice(switches(tried), _MOST_SWITCHES):
        structure = attempt(lambda trace=trace: LearnerStructure(trace()))
        modules = structure.anatomy.modules if isinstance(structure, LearnerStructure) else []
        same = [m for m in modules if m.name == module.name]
        if same and works(structure, same[0]):
            return f"{setting.path}={yaml_text.inline(setting.value)}"
    return None


def switches(tried: TriedSettings) -> Iterator[tuple[Setting, Callable[[], TracedLearner]]]:
    """Yield settings that are off, and modes that somebody chose, each with the learner of another value.

    Chosen settings come first: they are the likeliest cause, and each learner takes a second to trace.
    """
    for setting in sorted(tried.settings, key=lambda setting: not tried.is_chosen(setting)):
        mode = get_origin(setting.kind) is Literal and tried.is_chosen(setting)
        if setting.path.startswith("experience."):
            continue
        if mode or setting.value is False or setting.value is None or setting.value == 0:
            for value in other_values(setting.kind, setting.value):
                tree = settings.layer(tried.tree, {setting.path: value})
                yield setting, lambda tree=tree: tried.trace(tree, False, False)
