""".ci/run adds up what both releases counted; a run that broke off has failed."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    """Runs .ci/run with scripts that say what they are given: here, and in the other release."""

    def run_with(here: str, other: str, fetch: str = "exit 0") -> tuple[int, str]:
        (tmp_path / ".ci").mkdir()
        (tmp_path / "script").mkdir()
        shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
        for name, text in (("bootstrap", "exit 0"), ("test", here), ("in-release", other)):
            script = tmp_path / "script" / name
            script.write_text(f'#!/bin/sh\n[ "$2" != script/bootstrap ] || {fetch}\n{text}\n')
            script.chmod(0o755)
        done = subprocess.run([tmp_path / ".ci/run"], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout.splitlines()[-1]

    return run_with


def test_it_ends_with_the_sum(run):
    here = "echo '   1 passed, 0 failed, 0 skipped in 1 s'; echo '5 passed, 0 failed, 1 skipped'"
    assert run(here, "echo '10 passed, 0 failed, 2 skipped'") == (
        0, "15 passed, 0 failed, 3 skipped")


@pytest.mark.parametrize("here, other", [
    ("echo '4 passed, 1 failed, 0 skipped'; exit 1", "echo '9 passed, 0 failed, 0 skipped'"),
    ("echo '9 passed, 0 failed, 0 skipped'", "echo '4 passed, 1 failed, 0 skipped'; exit 1"),
    ("echo '13 passed, 0 failed, 0 skipped'", "echo 'in-release: needs root'; exit 1"),
])
def test_a_failure_in_either_release_fails_it(run, here, other):
    assert run(here, other) == (1, "13 passed, 1 failed, 0 skipped")


def test_packages_that_cannot_be_had_fail_it(run):
    totals = "echo '3 passed, 0 failed, 9 skipped'"
    assert run(totals, totals, fetch="exit 1") == (1, "6 passed, 1 failed, 18 skipped")
