"""Run tests once for every BLAS kernel that this machine can run: `python tests/support/kernels.py [pytest options]`.

OPENBLAS_CORETYPE asks OpenBLAS for a kernel. A processor that lacks its instructions gets another one, or ends the
program: so a product is tried, and threadpoolctl tells which kernel it really was. Each runs once. The exit code is 1
if a test fails on any of them.
"""

from __future__ import annotations

import os
import subprocess
import sys

# Prescott is left out: its order of additions in float64 depends on the place in memory, so a run would know its
# company. It is for processors that NumPy 2.4 does not run on: the baseline is x86-64-v2, that of Nehalem.
X86 = ("Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids")
ARM = ("ARMV8", "NEOVERSEN1", "NEOVERSEV1")
# A product first: only then does a processor without the kernel's instructions end the program.
KERNEL = """
import numpy, threadpoolctl
for dtype in ("float32", "float64"):
    a = numpy.ones((200, 200), dtype)
    assert (a @ a == 200).all()
print(*{str(p.get("architecture")) for p in threadpoolctl.threadpool_info()})
"""


def kernels() -> dict[str, dict[str, str]]:
    """The environment that gives each kernel, by the name that threadpoolctl reports."""
    found: dict[str, dict[str, str]] = {}
    for asked in ("", *X86, *ARM):
        environment = os.environ | ({"OPENBLAS_CORETYPE": asked} if asked else {})
        done = subprocess.run([sys.executable, "-c", KERNEL], env=environment, capture_output=True, text=True)
        if done.returncode == 0:  # a kernel that the processor cannot run may end it with a signal
            found.setdefault(done.stdout.strip(), environment)
    return found


def main(options: list[str]) -> int:
    """Run pytest once for each kernel."""
    codes = {}
    for kernel, environment in kernels().items():
        print(f"== BLAS kernel {kernel}", flush=True)
        codes[kernel] = subprocess.run([sys.executable, "-m", "pytest", *options], env=environment).returncode
    print(*(f"{kernel}: {'passed' if code == 0 else f'exit {code}'}" for kernel, code in codes.items()), sep="\n")
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
