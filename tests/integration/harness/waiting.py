"""Waiting by condition. No test sleeps for luck; deadlines only end a test that hangs."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Long enough for a sanitizer build on a busy machine; never reached when things work.
PATIENCE = 20.0


def wait_for(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Polls until condition() is true and returns what it returned."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain for: {what}")
        time.sleep(0.005)
