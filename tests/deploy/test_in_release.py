"""script/in-release: its errors say what to do, what was interrupted is made again, a command in
the other release ends as it would here and leaves nothing mounted. Only what is there already is
used: no test fetches a release."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "script/in-release"
RELEASE = "trixie"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Checkout:
    """A checkout with nothing in it but the script, and programs that stand in for the system's."""

    def __init__(self, directory: pathlib.Path):
        self.script = directory / "checkout/script/in-release"
        self.releases = directory / "checkout/build/releases"
        self.programs = directory / "programs"
        self.script.parent.mkdir(parents=True)
        self.programs.mkdir()
        shutil.copy(SCRIPT, self.script)
        for name in ("bash", "realpath", "dirname"):
            (self.programs / name).symlink_to(shutil.which(name))

    def program(self, name: str, text: str) -> None:
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def run(self, *arguments: str, alone: bool = False, **env: str) -> subprocess.CompletedProcess:
        """alone: with its own programs only."""
        path = str(self.programs) + ("" if alone else f":{os.environ['PATH']}")
        return subprocess.run([self.script, *arguments], env={**os.environ, "PATH": path, **env},
                              capture_output=True, text=True, timeout=120)


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("arguments", [[], [RELEASE], ["--base"], ["--base", RELEASE, "true"]])
def test_without_a_command_it_shows_how_it_is_called(checkout, arguments):
    done = checkout.run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: script/in-release")


def test_an_unknown_release_is_named(checkout):
    done = checkout.run("sarge", "true")
    assert done.returncode == 2
    assert "'sarge' is no release" in done.stderr and "bookworm|trixie" in done.stderr


def test_who_is_not_root_is_told_so(checkout):
    checkout.program("id", "echo 1000")
    done = checkout.run(RELEASE, "true")
    assert done.returncode == 1
    assert "needs root" in done.stderr and "sudo" in done.stderr


def test_who_may_not_mount_is_told_so(checkout):
    checkout.program("id", "echo 0")
    checkout.program("unshare", "exit 1")
    done = checkout.run(RELEASE, "true")
    assert done.returncode == 1
    assert "CAP_SYS_ADMIN" in done.stderr


def test_without_debootstrap_its_package_is_named(checkout):
    checkout.program("id", "echo 0")
    checkout.program("unshare", "exit 0")
    done = checkout.run(RELEASE, "true", alone=True)
    assert done.returncode == 1
    assert "apt-get install debootstrap" in done.stderr


@needs_root
@pytest.mark.skipif(not shutil.which("debootstrap"), reason="needs debootstrap")
def test_a_mirror_that_does_not_answer_leaves_nothing(checkout):
    done = checkout.run(RELEASE, "true", SOTTO_MIRROR="http://127.0.0.1:9/debian")
    assert done.returncode == 1
    assert "from http://127.0.0.1:9/debian" in done.stderr and "SOTTO_MIRROR" in done.stderr
    assert {file.name for file in checkout.releases.iterdir()} == {
        f"{RELEASE}.lock", f"{RELEASE}.log"}


@needs_root
def test_what_was_interrupted_is_ended_and_made_again(checkout, tmp_path):
    here = tmp_path / "here"
    os.mkfifo(here)
    # The partial root is debootstrap's third argument. The open pipe tells when it has ended.
    checkout.program("debootstrap", f'mkdir -p "$3/half"; exec 3>{here}; sleep 100')
    path = f"{checkout.programs}:{os.environ['PATH']}"
    making = subprocess.Popen([checkout.script, "--base", RELEASE],
                              env={**os.environ, "PATH": path}, stderr=subprocess.PIPE)
    try:
        with here.open("rb") as pipe:
            making.send_signal(signal.SIGTERM)
            assert pipe.read() == b"", "debootstrap outlived the script"
        assert making.wait(20) == 128 + signal.SIGTERM
    finally:
        making.kill()
        making.communicate()
    assert (checkout.releases / f"{RELEASE}.partial/half").exists()

    checkout.program("debootstrap", 'mkdir -p "$3/etc/apt"')
    done = checkout.run("--base", RELEASE)
    assert done.returncode == 0, done.stderr
    archive = pathlib.Path(done.stdout.strip())
    names = subprocess.run(["tar", "-tf", archive], capture_output=True, text=True).stdout.split()
    assert names == ["./", "./etc/", "./etc/apt/", "./etc/apt/sources.list"]


# --- in a release that is there ------------------------------------------------------------------


@pytest.fixture(scope="module")
def other():
    """Runs a shell's commands in the release."""
    releases = ROOT / "build/releases"
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not (releases / RELEASE).exists() and not (releases / f"{RELEASE}.tar").exists():
        pytest.skip(f"needs what script/in-release --base {RELEASE} makes")

    def start(commands: str, **options) -> subprocess.Popen:
        return subprocess.Popen([SCRIPT, RELEASE, "sh", "-euc", commands], text=True,
                                stdout=subprocess.PIPE, **options)

    return start


def mounts_of_releases() -> list[str]:
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(ROOT / "build/releases") in line]


def test_a_command_runs_in_the_release_and_gives_its_exit_code(other):
    running = other('. /etc/os-release; echo "$VERSION_CODENAME $PWD"; cat script/in-release;'
                    " exit 7")
    text, _ = running.communicate(timeout=120)
    assert running.returncode == 7
    head, _, script = text.partition("\n")
    assert head == f"{RELEASE} {ROOT}"
    assert script == SCRIPT.read_text()
    assert not mounts_of_releases()


def test_namespaces_can_be_made_in_it(other):
    """The tests of networks need them. In a mere chroot there would be none of users."""
    kinds = ["--mount --net"]
    if subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode == 0:
        kinds.append("--user --map-root-user --mount")
    for kind in kinds:
        running = other(f"unshare {kind} --propagation private mount -t tmpfs tmpfs /mnt")
        assert running.wait(120) == 0, kind


def test_each_release_builds_into_a_directory_of_its_own(other):
    marker = ROOT / f"build/releases/{RELEASE}-build/marker"
    try:
        assert other("touch build/marker").wait(120) == 0
        assert marker.exists() and not (ROOT / "build/marker").exists()
    finally:
        marker.unlink(missing_ok=True)


def test_a_signal_reaches_the_command_and_nothing_stays_mounted(other):
    running = other("trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done")
    try:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 9
    finally:
        running.kill()
        running.communicate()
    assert not mounts_of_releases()
