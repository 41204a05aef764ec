"""A clock that the test moves: sotto believes that the time has passed, suspended or not.

Its timers still run by the real one, as they do after a suspension: what is due is found at the
next event.
"""

import mmap
import os
import pathlib
import struct
import subprocess

_SHIM = pathlib.Path(__file__).with_name("clock_shim.c")


def build_shim(directory: pathlib.Path) -> pathlib.Path:
    library = directory / "clock_shim.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(_SHIM)], check=True)
    return library


class Clock:
    """Of every sotto started with its environment. Context manager."""

    def __init__(self, shim: pathlib.Path, file: pathlib.Path):
        file.write_bytes(struct.pack("q", 0))
        self._pipe = file.with_suffix(".set")
        os.mkfifo(self._pipe)
        self.environment = {
            "LD_PRELOAD": str(shim), "SOTTO_TEST_CLOCK": str(file),
            "SOTTO_TEST_CLOCK_SET": str(self._pipe),
            # A sanitizer's runtime need not be the first library here.
            "ASAN_OPTIONS": ":".join(filter(None, (
                os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"))),
        }
        self._file = file.open("r+b")
        self._memory = mmap.mmap(self._file.fileno(), 8)

    def whole_environment(self) -> dict[str, str]:
        """The caller's, with this clock in it."""
        return {**os.environ, **self.environment}

    def advance(self, seconds: float) -> None:
        (before,) = struct.unpack("q", self._memory[:8])
        self._memory[:8] = struct.pack("q", before + round(seconds * 1_000))

    def tell_it_was_set(self) -> None:
        """As the kernel tells one sotto that the wall clock was set, or that the machine resumed.
        The time stays what it is: certificates are checked by the real one."""
        with self._pipe.open("r+b", buffering=0) as pipe:
            pipe.write(bytes(8))

    def __enter__(self) -> "Clock":
        return self

    def __exit__(self, *_ignored) -> None:
        self._memory.close()
        self._file.close()
