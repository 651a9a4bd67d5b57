"""Before JAX starts: CPU, two devices. And covey's annotations are checked at run time."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2 --xla_cpu_multi_thread_eigen=false"

from jaxtyping import install_import_hook

install_import_hook("covey", "beartype.beartype")
