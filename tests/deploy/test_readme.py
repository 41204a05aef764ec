"""What the README shows is right: its configuration is accepted, the scripts it names are there."""

import pathlib
import re
import subprocess

import pytest

from harness import certificates
from harness.sotto import binary, environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

needs_binary = pytest.mark.skipif(not binary().exists(), reason="needs the release build")


@needs_binary
def test_its_configuration_is_accepted(tmp_path):
    text = re.search(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL).group(1)
    authority = certificates.Authority(tmp_path)
    file = tmp_path / "sotto.toml"
    file.write_text(text.replace("/etc/sotto/ca.pem", str(authority.ca_file)))
    done = subprocess.run([binary(), "check", "--config", file], env=environment(), text=True,
                          capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    for expected in ("quad9", "192.0.2.1", "dns.example.net", "192.168.1.1:53"):
        assert expected in done.stdout


def test_the_scripts_it_names_are_there():
    named = set(re.findall(r"\bscript/[\w-]+", README))
    assert {"script/run", "script/test", "script/demo"} <= named
    for script in named:
        assert (ROOT / script).stat().st_mode & 0o111, script
