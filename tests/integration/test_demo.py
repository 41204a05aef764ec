"""script/demo: the product seen working without the Internet; it checks each step itself."""

import pathlib
import subprocess

from harness.sotto import binary, environment

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_demo_runs_through():
    result = subprocess.run([ROOT / "script/demo"], capture_output=True, text=True, timeout=60,
                            env=environment(SOTTO_BINARY=str(binary())), check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    for shown in ("192.0.2.80", "2001:db8::80", "NXDOMAIN", "SERVFAIL", "ended with exit code 0"):
        assert shown in result.stdout


def test_the_demo_fails_when_a_step_fails(tmp_path):
    """With a binary that does nothing it neither hangs nor succeeds."""
    useless = tmp_path / "sotto"
    useless.write_text("#!/bin/sh\nexit 3\n")
    useless.chmod(0o755)
    result = subprocess.run([ROOT / "script/demo"], capture_output=True, text=True, timeout=60,
                            env=environment(SOTTO_BINARY=str(useless)), check=False)
    assert result.returncode != 0
    assert "demo:" in result.stderr
