"""Before JAX starts: CPU, two devices, compiled fast and once. Covey's annotations are checked."""

import gc
import os
from importlib.metadata import version
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = " ".join(
    [
        "--xla_force_host_platform_device_count=2",
        "--xla_cpu_multi_thread_eigen=false",
        "--xla_backend_optimization_level=0",  # most tests compile for seconds and run for none
        *(
            (
                "--xla_cpu_opt_preset=CPU_OPT_PRESET_FAST_COMPILE",
                "--xla_cpu_use_fusion_emitters=false",
                "--xla_cpu_parallel_codegen_split_count=1",
            )
            if version("jaxlib").startswith("0.10.")  # a flag that XLA does not know ends the process
            else ()
        ),
    ]
)
# What tests compile is kept outside the clone, so that a fresh one finds it.
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ.get("COVEY_TEST_CACHE") or str(
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "covey" / "tests"
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

from beartype.claw import beartype_packages
from hypothesis import settings
from jaxtyping import install_import_hook

# Everywhere types are checked, and shapes that agree. The latter takes each call 5 µs: the audit and the
# settings, which make a million calls and see hardly an array, are checked for types alone.
SOURCE = Path(__file__).parents[1] / "src"
PLAIN = ("covey.audit", "covey.config")
files = (path.relative_to(SOURCE).with_suffix("") for path in SOURCE.rglob("*.py"))
names = {".".join(path.parts).removesuffix(".__init__") for path in files}
within = lambda name, package: f"{name}.".startswith(f"{package}.")
shaped = [name for name in names if not any(within(name, p) or within(p, name) for p in PLAIN)]
install_import_hook(shaped, "beartype.beartype")
beartype_packages(PLAIN)

settings.register_profile("covey", deadline=None)  # nothing here is timed
settings.load_profile("covey")
gc.set_threshold(50_000, 20, 100)  # programs are traced into millions of small objects that live on
