"""The service file is well-formed and keeps sotto confined, by systemd's own judgement."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/sotto.service"
SOCKETS = sorted((ROOT / "deploy/systemd").glob("*.socket"))
EXPOSURE_MAX = 2.0  # of 10; systemd calls up to 4 "OK"

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")


@needs_systemd
def test_the_service_file_is_well_formed(tmp_path):
    unit = tmp_path / "sotto.service"
    # A program that exists stands in for the one that is not installed here.
    unit.write_text(UNIT.read_text().replace("/usr/bin/sotto", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)],
                          capture_output=True, text=True, timeout=60)
    about_it = [line for line in done.stderr.splitlines() if "sotto" in line]
    assert done.returncode == 0 and not about_it, done.stderr


@needs_systemd
def test_the_service_is_confined():
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)],
                          capture_output=True, text=True, timeout=60)
    match = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert match and float(match.group(1)) <= EXPOSURE_MAX, done.stdout[-500:]


def test_the_service_runs_what_exists():
    """The commands it runs are sotto's; exit codes are those the design fixes."""
    text = UNIT.read_text()
    assert re.search(r"^ExecStart=/usr/bin/sotto serve$", text, re.MULTILINE)
    assert re.search(r"^RestartPreventExitStatus=2$", text, re.MULTILINE)
    # The control socket is where root's sotto cache looks for it.
    assert re.search(r"^RuntimeDirectory=sotto$", text, re.MULTILINE)


@needs_systemd
@pytest.mark.parametrize("unit", SOCKETS, ids=lambda unit: unit.stem)
def test_the_socket_files_are_well_formed(tmp_path, unit):
    service = tmp_path / "sotto.service"
    service.write_text(UNIT.read_text().replace("/usr/bin/sotto", "/bin/true"))
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text())
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy), str(service)],
                          capture_output=True, text=True, timeout=60)
    about_it = [line for line in done.stderr.splitlines() if "sotto" in line]
    assert done.returncode == 0 and not about_it, done.stderr


def test_sockets_have_names_that_sotto_knows():
    """Each of the kind that belongs to its name, and for the one service."""
    assert [unit.name for unit in SOCKETS] == [
        f"sotto-{name}.socket" for name in ("https", "tcp", "tls", "udp")]
    for unit in SOCKETS:
        text = unit.read_text()
        name = unit.stem.removeprefix("sotto-")
        assert f"\nFileDescriptorName={name}\n" in text
        assert "\nService=sotto.service\n" in text
        kinds = set(re.findall(r"^Listen(\w+)=", text, re.MULTILINE))
        assert kinds == ({"Datagram"} if name == "udp" else {"Stream"})
