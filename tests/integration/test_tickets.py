"""TLS sessions that survive a restart (tls.ticket_file)."""

import pytest


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tickets"


def stop(sotto) -> None:
    assert sotto.stop() == 0
    assert "tickets.saved" in sotto.log()


def kill(start, sotto) -> None:
    sotto.kill()
    start.started.remove(sotto)


def test_a_restart_resumes(start, fake, file):
    settings = {"tls": {"ticket_file": str(file)}}
    first = start(fake, **settings)
    first.assert_right("first.example.")
    stop(first)
    assert file.stat().st_mode & 0o777 == 0o600
    second = start(fake, **settings)
    second.assert_right("second.example.")
    assert fake.handshakes_full == 1
    assert fake.handshakes_resumed >= 1
    second.wait_for_log("tickets.loaded: .*tickets=[1-4]")


def test_a_ticket_is_used_once_whatever_happens(start, fake, file):
    """A sotto that is killed has taken its tickets out of the file before."""
    settings = {"tls": {"ticket_file": str(file)}}
    first = start(fake, **settings)
    first.assert_right("first.example.")
    stop(first)
    second = start(fake, **settings)
    second.assert_right("second.example.")
    kill(start, second)
    third = start(fake, **settings)
    third.assert_right("third.example.")
    assert fake.handshakes_full == 2


def test_tickets_are_saved_once_a_minute(start, fake, file, clock):
    settings = {"tls": {"ticket_file": str(file)}}
    first = start(fake, env=clock.environment, **settings)
    first.assert_right("first.example.")
    clock.advance(61)
    first.reload()  # timers run by a clock that stood still
    first.wait_for_log("tickets.saved")
    kill(start, first)
    second = start(fake, **settings)
    second.assert_right("second.example.")
    assert fake.handshakes_full == 1


@pytest.mark.parametrize("fault, reason", [
    ("readable", "others than its owner may use it; its mode must be 0600"),
    ("damaged", "damaged or cut short"),
])
def test_a_file_that_cannot_be_trusted_is_refused(start, fake, file, fault, reason):
    settings = {"tls": {"ticket_file": str(file)}}
    first = start(fake, **settings)
    first.assert_right("first.example.")
    stop(first)
    if fault == "readable":
        file.chmod(0o644)
    else:
        file.write_bytes(file.read_bytes()[:-1])
    second = start(fake, **settings)
    second.assert_right("second.example.")
    second.wait_for_log(f'tickets.ignored: .*reason="{reason}"')
    assert fake.handshakes_full == 2
