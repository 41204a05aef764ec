"""Builds and runs every kind of test, section by section, and adds up what they counted.

A section runs even when one before it failed. Logs and reports lie in build/test-results. Run by
script/test; `script/test --list` names the sections, `script/test unit tidy` runs some of them.
"""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import Callable

from results import Outcome, from_ctest, from_junit

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build/test-results"
PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's pytest and dnspython
STEP_SECONDS_MAX = 2_400
FUZZ_SMOKE_SECONDS = 4
LOG_LINES_SHOWN = 60
# Integration tests wait more than they compute. Those of one file stay together: they may share a
# server.
AT_A_TIME = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile"]

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Failed(Exception):
    """A step without a report of its own failed; its text names the step."""


def shell(log_name: str, command: list[str], **env: str) -> int:
    """Runs a command with its output appended to a log; returns its exit code."""
    log_file = RESULTS / f"{log_name}.log"
    with log_file.open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, env={**os.environ, **SANITIZER_OPTIONS, **env},
                                 start_new_session=True)
        try:
            return child.wait(STEP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            log.write(f"ended after {STEP_SECONDS_MAX} s\n")
            return 124
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing it started outlives it
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def build(section: str, preset: str, targets: list[str]) -> None:
    configure = ["cmake", "--preset", preset]
    make = ["cmake", "--build", "--preset", preset, *(["--target", *targets] if targets else [])]
    for command in (configure, make):
        if shell(section, command) != 0:
            raise Failed(f"build of preset {preset}")


def pytest(section: str, paths: list[str], prefix: list[str] | None = None, **env: str) -> Outcome:
    report = RESULTS / f"{section}.xml"
    code = shell(section, [*(prefix or []), PYTHON, "-m", "pytest", f"--junitxml={report}", *paths],
                 **env)
    outcome = from_junit(report)
    if code != 0 and not outcome.failed:
        outcome.failed.append(f"pytest {' '.join(paths)}: exit code {code}")
    return outcome


def ctest(section: str, preset: str, only: str, prefix: list[str]) -> Outcome:
    report = RESULTS / f"{section}.xml"
    details = RESULTS / f"{section}-programs"
    shell(section, [*prefix, "ctest", "--test-dir", f"build/{preset}", "--output-on-failure",
                    "--timeout", "300", "-j", str(os.cpu_count()), "-R", only,
                    "--output-junit", str(report)],
          GTEST_OUTPUT=f"xml:{details}/")
    return from_ctest(report, details)


def unrandomised() -> list[str]:
    """ThreadSanitizer wants addresses where it expects them; newer kernels spread them wider."""
    command = ["setarch", "--addr-no-randomize"]
    works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else []


# --- sections -----------------------------------------------------------------------------------


def tidy() -> Outcome:
    """The rules about the source, and the tests of this runner."""
    return pytest("tidy", ["tests/tidy", "tests/runner"])


def unit() -> Outcome:
    """Everything that needs no network, and every fuzz corpus, under ASan and UBSan."""
    build("unit", "asan", [])
    return ctest("unit", "asan", ".", [])


def multi_threaded_tests() -> list[str]:
    """The unit test programs that start threads; the others have nothing to race."""
    found = set()
    for file in (ROOT / "tests/unit").rglob("*.cc"):
        if re.search(r"\bstd::j?thread\b|#include <thread>", file.read_text()):
            layer = file.relative_to(ROOT / "tests/unit").parts[0]
            lists = (ROOT / "tests/unit" / layer / "CMakeLists.txt").read_text()
            of_its_own = f"sotto_unit_test({file.stem.removesuffix('_test')} " in lists
            found.add(file.stem if of_its_own else f"{layer}_test")
    return sorted(found)


def threads() -> Outcome:
    """Multi-threaded unit tests, and sotto with several workers, under TSan."""
    programs = multi_threaded_tests()
    build("threads", "tsan", ["sotto", *programs])
    outcome = Outcome()
    if programs:
        outcome.add(ctest("threads", "tsan", f"^({'|'.join(programs)})$", unrandomised()))
    files = [f"tests/integration/test_{name}.py" for name in ("reload", "signals", "listeners")]
    outcome.add(pytest("threads-integration", files, unrandomised(),
                       SOTTO_BINARY="build/tsan/sotto"))
    return outcome


def sim() -> Outcome:
    """A whole sotto on simulated networks, some thousand seeds of faults."""
    shell("sim", ["script/sim"])
    text = (RESULTS / "sim.log").read_text(errors="replace")
    runs = re.findall(r"^sim: (\d+) runs, (\d+) failed", text, re.MULTILINE)
    failed = re.findall(r"^FAILED (seed \d+: \w+)", text, re.MULTILINE)
    if not runs or sum(int(count) for _, count in runs) != len(failed):
        raise Failed("script/sim did not come to its end")
    return Outcome(passed=sum(int(count) for count, _ in runs) - len(failed), failed=failed)


def integration() -> Outcome:
    """The binary users run, against real servers and one that misbehaves."""
    build("integration", "release", ["sotto"])
    build("integration", "asan", ["dot_upstream"])  # as the unit tests have it
    return pytest("integration", ["tests/integration", *AT_A_TIME],
                  SOTTO_BINARY="build/release/sotto")


def sanitized() -> Outcome:
    """The same with a binary under ASan and UBSan."""
    build("sanitized", "asan", ["sotto"])
    return pytest("sanitized", ["tests/integration", *AT_A_TIME], SOTTO_BINARY="build/asan/sotto")


def fuzz() -> Outcome:
    """A few seconds for each target; the corpora themselves are replayed by section unit."""
    shell("fuzz", ["script/fuzz", "all", str(FUZZ_SMOKE_SECONDS)])
    text = (RESULTS / "fuzz.log").read_text()
    match = re.search(r"^fuzz: (\d+) targets, (\d+) failed(.*)$", text, re.MULTILINE)
    if match is None:
        raise Failed("script/fuzz did not come to its end")
    failed = match.group(3).split()
    return Outcome(passed=int(match.group(1)) - len(failed), failed=failed)


def demo() -> Outcome:
    """script/demo, which ends with an error when an answer is not as expected."""
    build("demo", "release", ["sotto"])
    if shell("demo", ["script/demo"]) != 0:
        raise Failed("script/demo")
    return Outcome(passed=1)


def deploy() -> Outcome:
    """What the README shows, and the files of systemd."""
    build("deploy", "release", ["sotto"])
    return pytest("deploy", ["tests/deploy/test_readme.py", "tests/deploy/test_systemd.py"])


def container() -> Outcome:
    """The image, built, run and asked, and the root of the other release; both need root."""
    files = [f"tests/deploy/test_{name}.py" for name in ("container", "in_release")]
    return pytest("container", files)


SECTIONS: dict[str, Callable[[], Outcome]] = {
    "tidy": tidy,
    "unit": unit,
    "sim": sim,
    "integration": integration,
    "demo": demo,
    "sanitized": sanitized,
    "threads": threads,
    "fuzz": fuzz,
    "deploy": deploy,
    "container": container,
}


def run(name: str) -> Outcome:
    print(f"== {name}", flush=True)
    for old in RESULTS.glob(f"{name}*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    begin = time.monotonic()
    try:
        outcome = SECTIONS[name]()
    except Failed as failure:
        outcome = Outcome(failed=[str(failure)])
    if outcome.failed:
        for log in sorted(RESULTS.glob(f"{name}*.log")):
            lines = log.read_text(errors="replace").splitlines()
            print(f"-- the end of {log.relative_to(ROOT)}")
            print("\n".join(lines[-LOG_LINES_SHOWN:]))
    for item in outcome.skipped:
        print(f"skipped {name}: {item}")
    print(f"   {outcome.totals()} in {time.monotonic() - begin:.0f} s", flush=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/test", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="default: all")
    parser.add_argument("--list", action="store_true", help="name the sections and end")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if arguments.list or unknown:
        for name, section in SECTIONS.items():
            print(f"{name:14}{section.__doc__.splitlines()[0]}")
        return 2 if unknown else 0

    RESULTS.mkdir(parents=True, exist_ok=True)
    total = Outcome()
    for name in arguments.sections or SECTIONS:
        outcome = run(name)
        outcome.failed = [f"{name}: {item}" for item in outcome.failed]
        total.add(outcome)
    print()
    for item in total.failed:
        print(f"FAILED {item}")
    print(total.totals())
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
