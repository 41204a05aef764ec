"""The control socket: who may use it, whose it is, what it survives; and sotto cache through it."""

import os
import re
import pathlib
import signal
import socket
import stat
import subprocess

import pytest

from harness import answers, wire
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE

CALL_OCTETS_MAX = 2_048
CONNECTIONS_MAX = 16


def cache(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([str(binary()), "cache", *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment(**(env or {})), check=False)


def connect(path: pathlib.Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(PATIENCE)
    peer.connect(str(path))
    return peer


def receive(peer: socket.socket) -> bytes:
    """All up to the end of the stream, however it ends."""
    text = b""
    try:
        while block := peer.recv(65_536):
            text += block
    except ConnectionResetError:
        pass
    return text


def leave_behind(path: pathlib.Path) -> None:
    """The socket file of a process that has gone without removing it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
        dead.listen()


# --- the socket --------------------------------------------------------------------------------


def test_only_the_owner_may_use_it(start, fake):
    before = os.umask(0)
    try:
        sotto = start(fake)
    finally:
        os.umask(before)
    assert stat.S_IMODE(sotto.control_socket.lstat().st_mode) == 0o600
    assert stat.S_ISSOCK(sotto.control_socket.lstat().st_mode)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_removes_it(start, fake, number):
    sotto = start(fake)
    assert sotto.control_socket.exists()
    sotto.signal(number)
    assert sotto.wait() == 0
    assert not sotto.control_socket.exists()


def test_a_dead_ones_file_is_replaced(start, fake, tmp_path):
    path = tmp_path / "s"
    leave_behind(path)
    start(fake, control={"socket": str(path)})
    result = cache("stats", "--socket", str(path))
    assert result.returncode == 0, result.stderr


def test_a_live_one_is_not_taken(start, fake):
    first = start(fake)
    # Of its own choice: the second runs without.
    second = start.raw(["--listen", f"127.0.0.1:{(port := new_port())}", "--upstream", fake.url()],
                       port=port, env={"RUNTIME_DIRECTORY": str(first.control_socket.parent)})
    second.wait_for_log(f"another sotto listens on {first.control_socket}")
    first.cache("stats")
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    first.cache("stats")
    assert first.control_socket.exists()


def test_two_sottos_have_two_sockets(start, fake):
    first, second = start(fake), start(fake)
    assert first.control_socket != second.control_socket
    first.cache("stats")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    second.cache("stats")


def refused(start, fake, path: pathlib.Path) -> str:
    """A sotto that is configured to use path and does not start; returns its log."""
    port = new_port()
    planned = start.with_text("", port=port, start=False)
    planned.configure(start.configuration(fake, port=port, control={"socket": str(path)}))
    result = subprocess.run([str(binary()), "serve", "--config", str(planned.config_file)],
                            capture_output=True, text=True, timeout=PATIENCE, env=environment(),
                            check=False)
    assert result.returncode == 1
    return result.stderr


def test_a_configured_path_that_is_in_use_is_an_error(start, fake):
    first = start(fake)
    log = refused(start, fake, first.control_socket)
    assert (f"control.socket: another sotto listens on {first.control_socket}; stop it, or name "
            "another control.socket") in log
    assert "started" not in log and "listen.open" not in log
    first.cache("stats")


def test_another_kind_of_file_is_never_removed(start, fake, tmp_path):
    path = tmp_path / "precious"
    path.write_text("kept")
    assert f"{path} is there and is not a socket" in refused(start, fake, path)
    assert path.read_text() == "kept"
    link = tmp_path / "link"
    leave_behind(tmp_path / "target")
    link.symlink_to(tmp_path / "target")
    assert f"{link} is there and is not a socket" in refused(start, fake, link)
    assert link.is_symlink()


def test_a_configured_path_without_directory_is_an_error(start, fake, tmp_path):
    log = refused(start, fake, tmp_path / "missing" / "s")
    assert f"cannot open the directory {tmp_path / 'missing'}: No such file or directory" in log


def test_it_can_be_switched_off(start, fake):
    sotto = start(fake, control={"socket": ""})
    assert not sotto.control_socket.exists()
    sotto.wait_for_log("info +control.off.*control.socket is switched off")
    result = cache("stats", "--config", str(sotto.config_file))
    assert result.returncode == 1
    assert "control.socket is switched off, or use --socket" in result.stderr


def test_no_directory_costs_one_line_of_the_log(start, fake):
    port = new_port()
    sotto = start.raw(["--listen", f"127.0.0.1:{port}", "--upstream", fake.url()], port=port,
                      env={"RUNTIME_DIRECTORY": "/nonexistent/for/sotto"})
    assert sotto.log().count("control.") == 1
    sotto.wait_for_log("warning +control.off.*cannot open the directory /nonexistent/for/sotto")


# --- peers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, answer", [
    (b"\n", b"error: send a command and its arguments, single spaces between\n"),
    (b"GET / HTTP/1.1\r\n", b"error: the line holds more than printable ASCII; write names with "
     b"escapes: \\032\n"),
    (b"cache.flush a..b\n", b"error: not a name; write it as in a zone file: www.example.\n"),
    (b"cache.flush a. b.\n", b"error: send cache.flush [NAME [below]]\n"),
    (b"cache.show\n", b"error: send cache.show NAME\n"),
    (b"cache.stats now\n", b"error: send cache.stats alone\n"),
    (b"reboot\n",
     b"error: unknown command; known: cache.flush, cache.show, cache.stats, upstreams\n"),
    (b"a\nb\n", b"error: send one line, not more\n"),
    (b"x" * CALL_OCTETS_MAX, b"error: the line is too long; it may have 2048 octets\n"),
    (b"x" * 50_000, b"error: the line is too long; it may have 2048 octets\n"),
    (b"\x00" * 100 + b"\n", b"error: the line holds more than printable ASCII; write names with "
     b"escapes: \\032\n"),
])
def test_a_wrong_line_is_told_what_is_right(start, fake, text, answer):
    sotto = start(fake)
    with connect(sotto.control_socket) as peer:
        peer.sendall(text)
        assert receive(peer) == answer
    sotto.cache("stats")
    sotto.assert_healthy()


def test_slow_peers_hold_nobody(start, fake):
    sotto = start(fake)
    held = [connect(sotto.control_socket) for _ in range(CONNECTIONS_MAX - 1)]
    for peer in held:
        peer.sendall(b"cache.st")
    sotto.cache("stats")
    sotto.assert_right("meanwhile.example.")
    with connect(sotto.control_socket), connect(sotto.control_socket) as one_too_many:
        assert receive(one_too_many) == (
            b"error: too many connections are open; try again when they are done\n")
    for peer in held:
        assert receive(peer) == b""  # closed at its deadline
        peer.close()
    sotto.cache("stats")


def test_a_peer_that_holds_the_socket_does_not_hold_the_stop(start, fake):
    sotto = start(fake)
    with connect(sotto.control_socket) as peer:
        peer.sendall(b"cache.sta")
        sotto.signal(signal.SIGTERM)
        assert sotto.wait() == 0
        assert receive(peer) == b""


# --- sotto cache -------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, words", [
    ([], "say what to do: one of flush, show, stats"),
    (["forget"], 'unknown command ("forget"); write one of flush, show, stats'),
    (["show"], "say what to show: a name"),
    (["show", "a..b"], 'not a name ("a..b"); write it as in a zone file'),
    (["flush", "a b"], 'not a name ("a b")'),
    (["flush", "x" * 64], "not a name"),
    (["flush", "--below"], "--below needs a name"),
    (["stats", "--below"], "--below is for flush"),
    (["stats", "--upstream", "quad9"], 'unknown option ("--upstream")'),
    (["flush", "a", "b"], 'one name at a time ("b")'),
    (["show", ""], "the name is empty"),
    (["show", "münchen.example"], "names outside ASCII are written in their xn-- form"),
])
def test_wrong_usage_is_told_before_anything_is_sent(tmp_path, arguments, words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
        path = tmp_path / "s"
        nobody.bind(str(path))
        nobody.listen()
        nobody.setblocking(False)
        result = cache(*arguments, "--socket", str(path))
        assert result.returncode == 2
        assert words in result.stderr
        assert "; see sotto cache --help" in result.stderr
        with pytest.raises(BlockingIOError):
            nobody.accept()


def test_an_empty_path_is_not_the_configurations():
    result = cache("stats", "--socket", "")
    assert (result.returncode, result.stderr) == (
        2, "sotto: --socket: the path is empty; see sotto cache --help\n")


def test_without_a_sotto_it_says_so(tmp_path):
    none, dead, file = (tmp_path / name for name in ("none", "dead", "file"))
    leave_behind(dead)
    file.write_text("")
    for path, fault in (
        (none, f"{none} does not exist: sotto is not running, or uses another control.socket"),
        (none / "s", f"{none / 's'} does not exist: sotto is not running, or uses another "
         "control.socket"),
        (dead, f"nobody listens on {dead}: the sotto that made it was killed"),
        (file, f"{file} is not a socket"), (tmp_path, f"{tmp_path} is not a socket"),
    ):
        result = cache("stats", "--socket", str(path))
        assert (result.returncode, result.stderr) == (1, f"sotto: {fault}\n")


def test_a_mute_server_is_given_up(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        path = tmp_path / "s"
        mute.bind(str(path))
        mute.listen()
        result = cache("stats", "--socket", str(path))
    assert (result.returncode, result.stderr) == (
        1, f"sotto: sotto on {path} did not answer within 5 s\n")


def test_an_answer_that_cannot_be_written_is_a_failure(start, fake):
    sotto = start(fake)
    with open("/dev/full", "wb") as full:
        result = subprocess.run([str(binary()), "cache", "stats", "--socket",
                                 str(sotto.control_socket)], stdout=full, stderr=subprocess.PIPE,
                                text=True, timeout=PATIENCE, env=environment(), check=False)
    assert (result.returncode, result.stderr) == (
        1, "sotto: cannot write the answer: No space left on device\n")


def test_the_configuration_says_where_the_socket_is(start, fake, tmp_path):
    path = tmp_path / "elsewhere"
    sotto = start(fake, control={"socket": str(path)})
    assert not sotto.control_socket.exists()
    for arguments in (["stats", "--config", str(sotto.config_file)], ["stats", "--socket",
                                                                      str(path)]):
        result = cache(*arguments)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("entries ")
    result = cache("stats", env={"SOTTO_CONFIG": str(sotto.config_file)})
    assert result.returncode == 0, result.stderr


def test_systemds_directory_is_found_without_configuration(start, fake):
    sotto = start(fake)
    result = cache("stats", env={"RUNTIME_DIRECTORY": str(sotto.control_socket.parent)})
    assert result.returncode == 0, result.stderr


def test_a_wrong_configuration_is_reported_as_everywhere(tmp_path):
    config = tmp_path / "sotto.toml"
    config.write_text("[cache]\nsize = 1\n")
    result = cache("stats", "--config", str(config))
    assert result.returncode == 2
    assert "sotto.toml:2:8: size is out of range" in result.stderr


def test_a_server_of_another_kind_is_recognised(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        with subprocess.Popen([str(binary()), "cache", "stats", "--socket", str(path)],
                              stderr=subprocess.PIPE, text=True, env=environment()) as client:
            peer, _ = listener.accept()
            with peer:
                assert peer.recv(100) == b"cache.stats\n"
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            assert client.communicate(timeout=PATIENCE)[1] == (
                "sotto: the answer is not sotto's\n")
            assert client.returncode == 1


# --- what it does to the cache -----------------------------------------------------------------


def fill(sotto, *names: str) -> None:
    for name in names:
        sotto.assert_right(name)


def asked_again(sotto, fake, *names: str) -> list[str]:
    """Which of these names, asked now, cost a query to the upstream."""
    before = {name: len(fake.asked(name)) for name in names}
    fill(sotto, *names)
    return [name for name in names if len(fake.asked(name)) > before[name]]


NAMES = ("example.", "a.example.", "b.a.example.", "A-example.", "example.net.")


def test_flush_forgets_everything(start, fake):
    sotto = start(fake)
    fill(sotto, *NAMES)
    assert asked_again(sotto, fake, *NAMES) == []
    assert sotto.cache("flush") == "5 entries forgotten\n"
    assert sotto.cache("flush") == "0 entries forgotten\n"
    assert asked_again(sotto, fake, *NAMES) == list(NAMES)


def test_flush_forgets_one_name_in_all_types(start, fake):
    sotto = start(fake)
    fill(sotto, *NAMES)
    sotto.ask("a.example.", "TXT")
    assert sotto.cache("flush", "A.Example") == "2 entries forgotten\n"
    assert asked_again(sotto, fake, *NAMES) == ["a.example."]


def test_flush_forgets_what_is_below(start, fake):
    sotto = start(fake)
    fill(sotto, *NAMES)
    assert sotto.cache("flush", "com") == (
        "0 entries forgotten; --below forgets the names below it, too\n")
    assert sotto.cache("flush", "com", "--below") == "0 entries forgotten\n"
    assert sotto.cache("flush", "example", "--below") == "3 entries forgotten\n"
    assert asked_again(sotto, fake, *NAMES) == ["example.", "a.example.", "b.a.example."]
    assert sotto.cache("flush", ".", "--below") == "5 entries forgotten\n"


def test_an_answer_under_way_during_a_flush_is_not_kept(start, fake):
    sotto = start(fake)
    with sotto.datagram() as client:
        with fake.held():
            client.send(wire.query("late.example"))
            fake.wait_for_query("late.example")
            assert sotto.cache("flush") == "0 entries forgotten\n"
        assert client.receive()[-4:] == wire.oracle_address(wire.name_octets("late.example"))
    assert asked_again(sotto, fake, "late.example.") == ["late.example."]
    assert asked_again(sotto, fake, "late.example.") == []


def test_show_prints_what_is_kept(start, fake):
    sotto = start(fake)
    fill(sotto, "www.example.", "other.example.")
    sotto.ask("www.example.", "TXT", want_dnssec=True)
    address, comment = wire.oracle_text("www.example."), "; www.example. IN"
    lines = sotto.cache("show", "WWW.example").splitlines()
    assert re.fullmatch(rf"{comment} A, RD, NOERROR, fresh for \d+ s", lines[0]), lines
    assert re.fullmatch(rf"www\.example\.\t\d+\tIN\tA\t{re.escape(address)}", lines[1]), lines
    assert re.fullmatch(rf"{comment} TXT, RD, DO, NOERROR, fresh for \d+ s", lines[2]), lines
    assert re.fullmatch(r'www\.example\.\t\d+\tIN\tTXT\t"text"', lines[3]), lines
    assert len(lines) == 4
    assert sotto.cache("show", "none.example") == "; nothing is kept of none.example.\n"


def test_show_prints_failures_with_their_reason(start, fake):
    fake.answer = answers.failure(2, (22, "no \"body\""))
    sotto = start(fake)
    sotto.ask("broken.example.")
    shown = sotto.cache("show", "broken.example")
    assert re.fullmatch(r"; broken\.example\. IN A, RD, SERVFAIL, failure remembered \d+ s ago, "
                        r'EDE 22 \(No Reachable Authority\): "no \\"body\\""\n', shown), shown


def test_stats_count_what_happened(start, fake):
    sotto = start(fake, cache={"size": "1MiB"})
    assert sotto.cache_stats()["hit_ratio"] == 0
    fill(sotto, "a.example.", "b.example.", "a.example.", "a.example.", "a.example.", "b.example.")
    stats = sotto.cache_stats()
    assert (stats["entries"], stats["hits"], stats["misses"]) == (2, 4, 2)
    assert stats["hit_ratio"] == pytest.approx(4 / 6, abs=0.0001)
    assert 0 < stats["octets"] <= stats["octets_max"] <= 2**20
    assert (stats["stored"], stats["evicted"], stats["stale"]) == (2, 0, 0)
    sotto.cache("flush")
    assert sotto.cache_stats()["entries"] == 0


def test_without_a_cache_the_commands_have_nothing_to_do(start, fake):
    sotto = start(fake, cache={"size": 0})
    fill(sotto, "a.example.")
    assert sotto.cache("flush") == "0 entries forgotten\n"
    assert sotto.cache("show", "a.example") == "; nothing is kept of a.example.\n"
    assert sotto.cache_stats()["octets_max"] == 0


def test_commands_do_not_disturb_queries(start, fake):
    sotto = start(fake, workers=2)
    with subprocess.Popen(
        ["sh", "-c", f"while {binary()} cache flush --socket {sotto.control_socket} && "
         f"{binary()} cache show x.example --socket {sotto.control_socket}; do :; done"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    ) as commands:
        result = sotto.load(500)
        commands.terminate()
    result.assert_none_failed()
    sotto.assert_healthy()
