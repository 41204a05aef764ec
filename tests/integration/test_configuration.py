"""Mistakes in the configuration: one clear line says where and what; nothing half starts."""

import pathlib
import re
import socket
import subprocess

import pytest

from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE


def run(*arguments: str, env: dict[str, str] | None = None, cwd=None):
    return subprocess.run([str(binary()), *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment(**(env or {})), cwd=cwd, check=False)


def good(ca_file, port: int) -> str:
    return (f'[listen]\nudp = ["127.0.0.1:{port}"]\ntcp = ["127.0.0.1:{port}"]\nadmin = ""\n'
            f'[upstream_default]\nca_file = "{ca_file}"\n'
            '[[upstream]]\nurl = "tls://127.0.0.1:8853#dns.test"\n')


# The faulty text stands before the good configuration; the place is where the fault is.
FAULTS = {
    "unknown key": ("worker = 1\n", "1:1", ["worker", "workers"]),
    "unknown section": ("[lissten]\nudp = []\n", "1:2", ["lissten", "listen"]),
    "wrong type": ('workers = "many"\n', "1:11", ["many", "workers"]),
    "number instead of a duration": ("query_timeout = 4\n", "1:17", ['"4"', "4s"]),
    "out of range": ("workers = 100000\n", "1:11", ["100000", "256"]),
    "duration out of range": ('query_timeout = "1ms"\n', "1:17", ["1ms"]),
    "not a duration": ('query_timeout = "soon"\n', "1:17", ["soon"]),
    "unknown choice": ('log = { level = "chatty" }\n', "1:17", ["chatty", "debug"]),
    "not a network": ('policy = { allow = ["10.0.0.0/33"] }\n', "1:21", ["10.0.0.0/33"]),
    "nobody may ask": ("policy = { allow = [] }\n", "1:20", ["policy.allow"]),
    "unknown selection": ('group = [{ name = "default", select = "quick" }]\n', "1:39",
                          ["quick", "fastest, order, random, hash, all"]),
    "a group twice": ('group = [{ name = "default" }, { name = "default" }]\n', "1:41", ["twice"]),
    "a group that is empty": ('group = [{ name = "spare" }]\n', "1:19", ["spare", "no upstream"]),
    "plain DNS for bootstrap": ('bootstrap = ["9.9.9.9"]\n', "1:14", ["dns.quad9.net"]),
    "a host for bootstrap": ('bootstrap = ["tls://dns.example"]\n', "1:14", ["by its address"]),
    "a link-local server without its link": ('bootstrap = ["tls://[fe80::1]"]\n', "1:14",
                                             ["zone", "tls://[fe80::1%eth0]"]),
    "no name to probe": ('health = { name = "a..b" }\n', "1:19", ["a..b"]),
    "unclosed string": ('workers = "1\n', "1:", []),
    "no TOML at all": ("<xml/>\n", "1:", []),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_fault_is_reported_with_file_line_and_column(tmp_path, authority, fault, command):
    text, place, words = FAULTS[fault]
    port = new_port()
    config = tmp_path / "sotto.toml"
    config.write_text(text + good(authority.ca_file, port))
    result = run(command, "--config", str(config))
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if "sotto.toml:" in line]
    assert f"sotto.toml:{place}" in line
    for word in words:
        assert word in line


def test_all_faults_of_a_file_are_reported_at_once(tmp_path, authority):
    config = tmp_path / "sotto.toml"
    config.write_text("worker = 1\nquery_timeout = 4\n" + good(authority.ca_file, new_port()))
    result = run("check", "--config", str(config))
    assert result.returncode == 2
    assert [f"sotto.toml:{place}" in result.stderr for place in ("1:1", "2:17")] == [True, True]


BAD_UPSTREAMS = {
    "a host that nothing could look up": "tls://dns.example",
    "plain DNS": "udp://127.0.0.1:53",
    "an unknown scheme": "quic://127.0.0.1",
    "no scheme": "127.0.0.1:853",
    "an unknown provider": "cloudfare",
    "a bad port": "tls://127.0.0.1:70000#dns.test",
    "a bad address": "tls://256.0.0.1#dns.test",
    "an empty name": "tls://127.0.0.1#",
    "nothing": "",
}


@pytest.mark.parametrize("case", BAD_UPSTREAMS)
def test_an_upstream_that_cannot_be_authenticated_is_an_error(tmp_path, case):
    """Nothing that could not be verified is ever configured: exit 2 with the place."""
    config = tmp_path / "sotto.toml"
    config.write_text(f'[[upstream]]\nurl = "{BAD_UPSTREAMS[case]}"\n')
    result = run("check", "--config", str(config))
    assert result.returncode == 2
    assert re.search(r"sotto\.toml:2:7: ", result.stderr), result.stderr


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
def test_an_unreadable_ca_file_is_an_error(tmp_path, content):
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    config = tmp_path / "sotto.toml"
    config.write_text(good(ca_file, new_port()))
    result = run("serve", "--config", str(config))
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if "ca.pem" in line]
    assert "sotto.toml:6:11" in line


@pytest.mark.parametrize("arguments, words", [
    (["--listen", "127.0.0.1"], ["--listen", "127.0.0.1"]),
    (["--listen", "nowhere:53"], ["--listen", "nowhere:53"]),
    (["--upstream", "udp://127.0.0.1"], ["--upstream", "udp://127.0.0.1"]),
    (["--log-level", "chatty"], ["--log-level", "chatty"]),
    (["--ca-file", "/nonexistent/ca.pem"], ["/nonexistent/ca.pem"]),
    (["--config", "/nonexistent/sotto.toml"], ["/nonexistent/sotto.toml"]),
    (["--nonsense"], ["--nonsense"]),
    (["dance"], ["dance"])])
def test_mistakes_on_the_command_line_exit_with_2(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2
    for word in words:
        assert word in result.stderr


def test_mistakes_in_the_environment_name_the_variable(authority):
    result = run(env={"SOTTO_LISTEN": "localhost"})
    assert result.returncode == 2
    assert "SOTTO_LISTEN" in result.stderr and "localhost" in result.stderr


def test_check_prints_the_effective_configuration(tmp_path, authority):
    """What it prints is itself a configuration that means the same."""
    config = tmp_path / "sotto.toml"
    config.write_text("workers = 3\n" + good(authority.ca_file, 5_999))
    result = run("check", "--config", str(config), env={"SOTTO_LOG_LEVEL": "warning"})
    assert result.returncode == 0, result.stderr
    for part in ("workers = 3", '"127.0.0.1:5999"', 'tls://127.0.0.1:8853#dns.test', '"warning"'):
        assert part in result.stdout
    again = tmp_path / "again.toml"
    again.write_text(result.stdout)
    second = run("check", "--config", str(again))
    assert (second.returncode, second.stdout) == (0, result.stdout)


def test_check_prints_upstreams_and_their_groups(tmp_path, authority):
    """Hosts, groups, sources and what surrounds them, read back to the same."""
    config = tmp_path / "sotto.toml"
    config.write_text(f'''
bootstrap = ["quad9"]
state_directory = "state"
[upstream_default]
ca_file = "{authority.ca_file}"
[[group]]
name = "far"
select = "hash"
[[upstream]]
url = "tls://dns.example"
source = "192.0.2.7"
[[upstream]]
url = "quad9"
group = "far"
interface = "wg0"
keep_warm = "1m"
[tls]
ticket_file = "tickets"
''')
    result = run("check", "--config", str(config))
    assert result.returncode == 0, result.stderr
    for part in ('bootstrap = ["quad9"]\n', f'state_directory = "{tmp_path}/state"\n',
                 '[[group]]\nname = "far"\nselect = "hash"\n\n'
                 '[[group]]\nname = "default"\nselect = "fastest"\n',
                 'url = "tls://dns.example"\ngroup = "default"\n', 'source = ["192.0.2.7"]\n',
                 'url = "quad9"\ngroup = "far"\n', 'interface = "wg0"\n',
                 f'ticket_file = "{tmp_path}/tickets"\n'):
        assert part in result.stdout, part
    again = tmp_path / "again.toml"
    again.write_text(result.stdout)
    second = run("check", "--config", str(again))
    assert (second.returncode, second.stdout) == (0, result.stdout)


def test_a_host_is_looked_up_by_servers_of_the_command_line(tmp_path, authority):
    arguments = ["check", "--upstream", "tls://dns.example", "--ca-file", str(authority.ca_file)]
    refused = run(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.startswith("--upstream: nothing could look up"), refused.stderr
    for given in (run(*arguments, "--bootstrap", "tls://192.0.2.1"),
                  run(*arguments, env={"SOTTO_BOOTSTRAP": "tls://192.0.2.1"})):
        assert given.returncode == 0, given.stderr
        assert 'bootstrap = ["tls://192.0.2.1"]\n' in given.stdout


def test_a_file_for_no_cache_is_warned_about(start, fake, tmp_path):
    sotto = start(fake, cache={"size": 0, "file": str(tmp_path / "answers")})
    sotto.wait_for_log("warning +cache.off: cache.file has no effect with cache.size = 0")
    result = run("check", "--config", str(sotto.config_file))
    assert (result.returncode, result.stderr) == (
        0, "sotto: warning: cache.file has no effect with cache.size = 0\n")


def test_version_and_help():
    assert re.fullmatch(r"sotto \d+\.\d+\.\d+.*\n", run("--version").stdout)
    for arguments in (["--help"], ["serve", "--help"], ["check", "--help"], ["query", "--help"]):
        result = run(*arguments)
        assert result.returncode == 0 and "--" in result.stdout


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_in_use_is_a_runtime_failure(tmp_path, authority, kind):
    port = new_port()
    config = tmp_path / "sotto.toml"
    config.write_text(good(authority.ca_file, port))
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        result = run("serve", "--config", str(config))
    assert result.returncode == 1
    (line,) = [line for line in result.stderr.splitlines() if "in use" in line]
    assert f"127.0.0.1:{port}" in line


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_by_another_sotto_is_seen(start, fake, workers):
    """With SO_REUSEPORT a second one would silently take half of the queries."""
    first = start(fake, workers=workers)
    result = run("serve", "--config", str(first.config_file))
    assert result.returncode == 1
    assert f"127.0.0.1:{first.port}" in result.stderr
    first.assert_right("still-first.example.")


def test_an_address_the_host_lacks_is_an_error_when_configured(tmp_path, authority):
    config = tmp_path / "sotto.toml"
    config.write_text(good(authority.ca_file, new_port()).replace("127.0.0.1:", "192.0.2.1:", 1))
    result = run("serve", "--config", str(config))
    assert result.returncode == 1
    assert "192.0.2.1" in result.stderr


def test_a_link_local_address_without_its_zone_is_named_by_check(tmp_path, authority):
    """Sockets refuse it with "Invalid argument"."""
    config = tmp_path / "sotto.toml"
    text = good(authority.ca_file, new_port())
    config.write_text(text.replace('udp = [', 'udp = ["[fe80::1]:53", '))
    result = run("check", "--config", str(config))
    assert result.returncode == 2
    assert "sotto.toml:2:8: a link-local address needs its zone" in result.stderr
    assert '"[fe80::1%eth0]:53"' in result.stderr
    config.write_text(config.read_text().replace("fe80::1", "fe80::1%lo"))
    assert run("check", "--config", str(config)).returncode == 0


def test_relative_ca_files_start_at_the_configuration(start, fake, authority, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ca.pem").write_bytes(authority.ca_file.read_bytes())
    port = new_port()
    config = tmp_path / "etc/sotto.toml"
    config.write_text(good("ca.pem", port).replace("127.0.0.1:8853", f"127.0.0.1:{fake.port}"))
    start.raw(["--config", str(config)], port=port).assert_right("relative.example.")


MANUAL = pathlib.Path(__file__).parents[2] / "doc" / "manual"
EXAMPLES = [(chapter.name, number, text) for chapter in sorted(MANUAL.glob("*.md"))
            for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```", chapter.read_text(),
                                                     re.MULTILINE | re.DOTALL), start=1)]


@pytest.mark.parametrize("text", [text for _, _, text in EXAMPLES],
                         ids=[f"{chapter}-{number}" for chapter, number, _ in EXAMPLES])
def test_what_the_manual_shows_is_right(tmp_path, leaf, text):
    """With files that are there, and a certificate where the example leaves it to another."""
    tickets = tmp_path / "ticket.key"
    tickets.write_bytes(bytes(64))
    tickets.chmod(0o600)
    text = text.replace("/etc/sotto/ticket.key", str(tickets))
    text = re.sub(r'"/etc/sotto/[^"]+\.pem"', f'"{leaf.chain}"', text)
    text = re.sub(r'"/etc/sotto/[^"]+\.key"', f'"{leaf.key}"', text)
    if "[listen" in text and "[server_tls]" not in text:
        text += f'[server_tls]\ncertificate = "{leaf.chain}"\nkey = "{leaf.key}"\n'
    config = tmp_path / "sotto.toml"
    config.write_text(text)
    result = run("check", "--config", str(config))
    assert result.returncode == 0, result.stderr + text
