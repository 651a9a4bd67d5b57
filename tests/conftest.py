"""Before JAX starts: CPU, two devices, compiled fast and once. Covey's annotations are checked."""

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
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "xla")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"

from jaxtyping import install_import_hook

install_import_hook("covey", "beartype.beartype")
