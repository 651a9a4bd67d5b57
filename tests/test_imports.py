"""The modules that a command may import, held as data: each import is paid for at every start."""

import subprocess
import sys

import pytest

# Everything that a piece of code imports beside Python's own library. A package stands for its modules.
NOTHING_ELSE = {"covey"}
COMMAND_LINE = {"covey", "yaml", "cython_runtime"}  # the last is of yaml, where it is compiled
TRAINING = COMMAND_LINE | {
    # JAX and what it needs
    "jax",
    "jaxlib",
    "ml_dtypes",
    "numpy",
    "opt_einsum",
    "scipy",  # the part of it that JAX imports itself
    "cloudpickle",  # this and the next are imported by JAX where they are installed
    "pygments",
    # what covey is written with
    "equinox",
    "jaxtyping",
    "optax",
    "absl",  # of optax
    "typing_extensions",
    "wadler_lindig",  # of equinox and jaxtyping
}
# Of covey: a run of one algorithm in one world needs no other.
ALGORITHMS = ("coma", "dual_q", "hyper_mappo", "maddpg", "ppo", "wqmix")
WORLDS = ("games", "predator_prey", "probes", "skirmish", "adapters")
ROOMS = ("analysis", "lab", "show.film", "testing")

PREPARE = """
from covey.runs import launch
launch.prepare("cpu")
"""
TRAIN = """
from covey.config.config import Config
from covey.runs.run import train_run
Config.parse("qmix", "spread", {}, {}).build()
"""
REPORT = """
import sys
print("MODULES", *sys.modules)
"""


def modules_of(code: str) -> set[str]:
    """Return the modules that a fresh Python has after it ran the code, but for those it starts with."""

    def run(code):
        words = [sys.executable, "-c", code + REPORT]
        result = subprocess.run(words, capture_output=True, text=True, check=True)
        return set(result.stdout.rpartition("MODULES")[2].split())

    return run(code) - run("")


def packages(modules: set[str]) -> set[str]:
    """Return the packages of these modules, without Python's own."""
    names = {name.partition(".")[0] for name in modules}
    is_private = lambda name: name.startswith("_")
    return {name for name in names if name not in sys.stdlib_module_names and not is_private(name)}


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import covey", NOTHING_ELSE),
        ("from covey.cli import main; main(['--help'])", COMMAND_LINE),
        ("from covey.cli import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass", COMMAND_LINE),
        ("from covey.cli import main; main(['train', 'qmx', 'spread'])", COMMAND_LINE),
        ("from covey.cli import main; main(['list'])", COMMAND_LINE),
    ],
    ids=["covey", "help", "train-help", "mistyped", "list"],
)
def test_what_needs_no_jax_starts_none(code, allowed):
    # Breaks where a module that the command line always imports begins to import JAX, or anything heavy.
    assert packages(modules_of(code)) <= allowed


@pytest.fixture(scope="module")
def training() -> set[str]:
    return modules_of(PREPARE + TRAIN)


def test_training_imports_no_other_package(training):
    # Breaks where matplotlib, TensorBoard, PettingZoo or another package is imported before it is needed.
    assert packages(training) <= TRAINING


def test_training_imports_no_other_algorithm_or_world(training):
    # Breaks where the package of algorithms, or that of worlds, imports all of them again.
    unneeded = [f"covey.algorithms.{name}" for name in ALGORITHMS]
    unneeded += [f"covey.environments.{name}" for name in WORLDS]
    unneeded += [f"covey.{name}" for name in ROOMS]
    within = lambda name, package: f"{name}.".startswith(f"{package}.")
    assert [name for name in sorted(training) if any(within(name, package) for package in unneeded)] == []


def test_the_names_above_exist():
    # Breaks where a module moves, and the test above looks for its old name.
    import importlib

    for name in ALGORITHMS:
        importlib.import_module(f"covey.algorithms.{name}")
    for name in WORLDS:
        importlib.import_module(f"covey.environments.{name}")
    for name in ROOMS:
        importlib.import_module(f"covey.{name}")
