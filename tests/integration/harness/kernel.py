"""Kernels that a test cannot have; see kernel_shim.c."""

import os
import pathlib
import subprocess

_SHIM = pathlib.Path(__file__).with_name("kernel_shim.c")


def environment(directory: pathlib.Path, *faults: str) -> dict[str, str]:
    """What a sotto has to be started with, for these of the shim's faults."""
    library = directory / "kernel_shim.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(_SHIM)], check=True)
    return {
        "LD_PRELOAD": str(library), **{fault: "1" for fault in faults},
        # A sanitizer's runtime need not be the first library here.
        "ASAN_OPTIONS": ":".join(filter(None, (
            os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"))),
    }
