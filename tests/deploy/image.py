"""Builds the image of deploy/container/Containerfile and runs it, with buildah and no daemon.

Chroot isolation needs root but no namespaces and no registry: the base is what script/in-release
makes its root of, so one debootstrap serves both. buildah's layers are kept under build/container,
what ccache has is shared.
"""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "build/container"
RELEASE = os.environ.get("SOTTO_TEST_RELEASE", "trixie")
BASE = f"localhost/sotto-base:{RELEASE}"
IMAGE = f"localhost/sotto:{RELEASE}"
LAYERS_KEPT_MAX = 8  # of earlier builds; each holds the sources or packages of one

STORAGE = ["--root", str(KEPT / "storage"), "--runroot", str(KEPT / "run")]


def reason_to_skip() -> str:
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in ("buildah", "debootstrap") if not shutil.which(tool)]
    return f"needs {' and '.join(missing)}" if missing else ""


def run(command: list[str], **options) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=ROOT, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-8_000:]}"
    return done.stdout


def buildah(*arguments: str) -> str:
    return run(["buildah", *STORAGE, *arguments]).strip()


def exists(image: str) -> bool:
    done = subprocess.run(["buildah", *STORAGE, "inspect", "--type", "image", image],
                          capture_output=True)
    return done.returncode == 0


def import_base() -> None:
    """Once: a minimal Debian as an image."""
    if exists(BASE):
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    archive = run(["script/in-release", "--base", RELEASE]).splitlines()[-1]
    container = buildah("from", "scratch").splitlines()[-1]
    buildah("add", "--quiet", container, archive, "/")
    buildah("commit", "--quiet", "--rm", container, BASE)


def shared_ccache() -> list[str]:
    """For a build: the release of the image compiles the same files when it runs the tests."""
    place = os.environ.get("CCACHE_DIR") or pathlib.Path.home() / ".cache/ccache"
    pathlib.Path(place).mkdir(parents=True, exist_ok=True)
    return ["--volume", f"{place}:/ccache", "--build-arg", "CCACHE_DIR=/ccache"]


def build() -> str:
    """Returns the image's name. Layers that did not change are taken from the last build."""
    import_base()
    if len(buildah("images", "--quiet", "--filter", "dangling=true").split()) > LAYERS_KEPT_MAX:
        buildah("rmi", "--prune")
    buildah("build", "--isolation", "chroot", "--format", "docker", "--layers",
            "--build-arg", f"BASE={BASE}", *shared_ccache(),
            "-f", "deploy/container/Containerfile", "-t", IMAGE, ".")
    return IMAGE


def run_command(container: str, arguments: list[str], *, env: dict[str, str] | None = None,
                volumes: list[str] | None = None) -> list[str]:
    """The command line that runs something in a container, on the host's loopback."""
    command = ["buildah", *STORAGE, "run", "--isolation", "chroot"]
    for name, value in (env or {}).items():
        command += ["--env", f"{name}={value}"]
    for volume in volumes or []:
        command += ["--volume", volume]
    return [*command, container, "--", *arguments]


def descendants(pid: int) -> list[int]:
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found
