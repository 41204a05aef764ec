"""The cache's file: answers survive a restart, and no kill, damage or full disk costs more."""

import os
import resource
import signal
import stat

import dns.flags
import dns.rcode
import pytest

from harness import answers, snapshot_file, wire
from harness.snapshot_file import Snapshot, address_entry


@pytest.fixture
def path(tmp_path):
    """A directory of its own, so that nothing else is in it."""
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "cache"


@pytest.fixture
def keep(start, fake, path):
    """keep() starts a sotto in front of the fake upstream that keeps its cache in path."""
    def run(file=path, **cache):
        return start(fake, cache={"file": str(file), "save_interval": "0s", **cache})
    return run


def warnings(sotto) -> list[str]:
    return [line for line in sotto.log().splitlines() if " warning " in line]


def ttl_of(response) -> int:
    return min(rrset.ttl for rrset in response.answer + response.authority)


def filled(path, count: int) -> list[snapshot_file.Entry]:
    """Writes a file with that many entries."""
    entries = [address_entry(f"n{index}.example", ttl=80_000) for index in range(count)]
    Snapshot(snapshot_file.now(), entries).write(path)
    return entries


def await_loaded(sotto) -> None:
    sotto.wait_for_log("cache.loaded")


# --- what is kept ------------------------------------------------------------------------------


def test_answers_survive_a_restart_and_age_meanwhile(keep, fake, path):
    """BEHAVIOUR 28: a TTL goes on falling while sotto is down."""
    first = keep()
    fresh = first.assert_right("www.example.")
    assert first.stop() == 0
    assert "cache.saved" in first.log() and not warnings(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]

    snapshot_file.read(path).aged(100).write(path)
    fake.answer = answers.nothing
    second = keep()
    await_loaded(second)
    kept = second.assert_right("WWW.example.")
    assert ttl_of(fresh) - 150 < ttl_of(kept) <= ttl_of(fresh) - 100
    assert len(fake.asked("www.example.")) == 1


def test_every_kind_of_answer_survives(keep, fake, path):
    """Negative ones, the upstream's EDE, AD, and each by the flags it was asked with."""
    soa = wire.record(wire.SOA, b"\0\0" + bytes(16) + b"\0\0\1\0", ttl=200)

    def answer(asked):
        ede = wire.extended_error(15, "blocked")
        if b"nx" in asked.qname:
            return [(0, wire.respond(asked, authorities=(soa,), rcode=wire.NXDOMAIN,
                                     options=ede))]
        return [(0, answers.right_message(asked, flags=wire.RA | wire.AD))]

    fake.answer = answer
    first = keep()
    asked = [("nx.example.", {}), ("ad.example.", {"flags": dns.flags.RD | dns.flags.AD}),
             ("ad.example.", {"want_dnssec": True}), ("ad.example.", {"flags": dns.flags.CD}),
             ("text.example.", {"rdtype": "TXT"})]
    before = [ask(first, name, **options) for name, options in asked]
    assert first.stop() == 0
    fake.answer = answers.nothing
    second = keep()
    await_loaded(second)
    after = [ask(second, name, **options) for name, options in asked]
    for old, new in zip(before, after):
        assert (old.flags, old.rcode(), old.options) == (new.flags, new.rcode(), new.options)
        assert old.answer == new.answer and old.authority == new.authority
    assert before[0].rcode() == dns.rcode.NXDOMAIN and "blocked" in str(before[0])
    assert before[1].flags & dns.flags.AD


def ask(sotto, name, rdtype="A", **options):
    return sotto.ask(name, rdtype, **options)


def test_failures_are_not_kept(keep, fake, path):
    fake.answer = answers.failure(wire.SERVFAIL)
    sotto = keep()
    assert sotto.ask("bad.example.").rcode() == dns.rcode.SERVFAIL
    assert sotto.stop() == 0
    assert snapshot_file.read(path).entries == []


def test_what_expired_is_only_good_for_an_outage(keep, fake, path):
    """BEHAVIOUR 31: stale answers, up to stale.max_age, from the last run too."""
    entries = [address_entry("old.example", age=4_000),
               address_entry("ancient.example", age=90_000),
               address_entry("ahead.example", age=-3_600)]
    Snapshot(snapshot_file.now(), entries).write(path)
    fake.go_down()
    sotto = keep()
    line = sotto.wait_for_log("cache.loaded")
    assert "entries=1 skipped=2" in line
    stale = sotto.assert_right("old.example.")
    assert ttl_of(stale) <= 30 and "EDE 3" in str(stale)


def test_the_file_says_which_route_and_flags(keep, fake, path):
    """Another route's answers stay in the file's cache and are given to nobody else."""
    entries = [address_entry("a.example", scope=0x0100_0001), address_entry("b.example"),
               address_entry("c.example", scope=0x0300_0000)]
    Snapshot(snapshot_file.now(), entries).write(path)
    sotto = keep()
    await_loaded(sotto)
    for name in ("a", "b", "c"):
        sotto.assert_right(f"{name}.example.")
    assert [len(fake.asked(f"{name}.example.")) for name in ("a", "b", "c")] == [1, 0, 1]
    assert sotto.stop() == 0
    scopes = sorted(each.scope for each in snapshot_file.read(path).entries)
    assert scopes == [0x0100_0000] * 3 + [0x0100_0001, 0x0300_0000]


def test_it_is_off_unless_configured(start, fake, tmp_path):
    sotto = start(fake)
    sotto.assert_right("www.example.")
    before = sorted(tmp_path.iterdir())
    assert sotto.stop() == 0
    assert sorted(tmp_path.iterdir()) == before
    assert "cache.saved" not in sotto.log()


# --- what is not trusted -----------------------------------------------------------------------


def damaged_files(good: bytes):
    yield "cut", good[:-1]
    yield "cut inside an entry", good[: len(good) // 2]
    yield "empty", b""
    yield "longer", good + b"\0"
    yield "another version", good[:11] + b"\2" + good[12:]
    for at in range(8, len(good), 97):  # regions of the header, of entries, of the end
        changed = bytearray(good)
        changed[at] ^= 0x20
        yield f"octet {at}", bytes(changed)
    yield "zeros", good[:8] + bytes(len(good) - 8)


def test_a_damaged_file_is_one_warning_and_no_more(keep, fake, path):
    """… and the next clean stop writes a good one."""
    filled(path, 5)
    for number, (what, content) in enumerate(damaged_files(path.read_bytes())):
        path.write_bytes(content)
        sotto = keep()
        name = f"after-{number}.example."
        sotto.assert_right(name)
        assert sotto.stop() == 0, what
        (warning,) = warnings(sotto)
        assert "cache.ignored" in warning and "empty cache" in warning, what
        (entry,) = snapshot_file.read(path).entries
        assert entry.name == wire.name_octets(name), what
        path.unlink()
        filled(path, 5)


def test_a_file_from_the_future_is_not_used(keep, fake, path):
    Snapshot(snapshot_file.now() + 3_600_000, [address_entry("a.example")]).write(path)
    sotto = keep()
    sotto.wait_for_log("cache.ignored.*dated in the future")
    sotto.assert_right("a.example.")
    assert len(fake.asked("a.example.")) == 1
    assert len(warnings(sotto)) == 1


def test_a_foreign_file_is_left_alone(keep, fake, path):
    """A slip in the configuration must not cost the operator a file."""
    path.write_text("precious = true\n")
    sotto = keep()
    sotto.wait_for_log("cache.ignored.*left alone")
    sotto.assert_right("a.example.")
    assert sotto.stop() == 0
    assert path.read_text() == "precious = true\n"
    assert len(warnings(sotto)) == 1 and os.listdir(path.parent) == [path.name]


def test_a_crafted_message_cannot_do_more_than_an_upstreams(keep, fake, path):
    """Behind right checksums: entries whose messages are none are left out, the others used."""
    good = address_entry("good.example")
    short = address_entry("short.example")
    longer = address_entry("longer.example", ttl=200)
    entries = [snapshot_file.Entry(short.expires, 300, short.message[:-1]),
               snapshot_file.Entry(longer.expires, 86_400, longer.message), good]
    Snapshot(snapshot_file.now(), entries).write(path)
    sotto = keep()
    assert "entries=1 skipped=2" in sotto.wait_for_log("cache.loaded")
    names = ["good.example.", "short.example.", "longer.example."]
    for name in names:
        sotto.assert_right(name)
    assert [len(fake.asked(name)) for name in names] == [0, 1, 1]


# --- writing -----------------------------------------------------------------------------------


def test_it_is_saved_every_interval_and_a_reload_changes_that(keep, path):
    sotto = keep()
    sotto.assert_right("a.example.")
    assert not path.exists()
    text = sotto.config_file.read_text().replace('"0s"', '"1s"')
    sotto.config_file.write_text(text)
    sotto.reload()
    sotto.wait_for_log("debug +cache.saved", count=2)
    assert [each.name for each in snapshot_file.read(path).entries] == [
        wire.name_octets("a.example")]


def test_a_kill_at_any_point_of_writing_leaves_a_whole_file(start, keep, path):
    """Each round is killed after one chunk more of the new file, the last after it took its place.
    What was left behind is gone after the next start."""
    count = 20_000
    filled(path, count)
    chunks = path.stat().st_size // snapshot_file.CHUNK_OCTETS_MAX
    assert chunks >= 4
    new = path.with_name(path.name + ".new")

    def octets_written() -> int:
        try:
            return new.stat().st_size
        except FileNotFoundError:
            return -1

    for chunk in range(chunks + 2):
        sotto = keep(save_interval="1s")
        assert f"entries={count} skipped=0" in sotto.wait_for_log("cache.loaded")
        before = path.stat().st_ino
        sotto.wait_until(lambda: octets_written() >= chunk * snapshot_file.CHUNK_OCTETS_MAX
                         or path.stat().st_ino != before, "writing")
        sotto.kill()
        start.started.remove(sotto)
        assert len(snapshot_file.read(path).entries) == count
    last = keep()
    assert f"entries={count} skipped=0" in last.wait_for_log("cache.loaded")
    assert last.stop() == 0
    assert os.listdir(path.parent) == [path.name]
    assert len(snapshot_file.read(path).entries) == count


def test_a_stop_while_the_file_is_read_keeps_it(keep, path):
    filled(path, 20_000)
    before = path.read_bytes()
    sotto = keep()
    sotto.signal(signal.SIGTERM)
    assert sotto.wait() == 0
    if "cache.kept" in sotto.log():
        assert path.read_bytes() == before
    else:  # it was quicker than the signal
        assert len(snapshot_file.read(path).entries) == 20_000
    assert not warnings(sotto)


def test_a_file_that_cannot_grow_is_one_warning_and_the_old_stays(keep, fake, path):
    filled(path, 20_000)
    before = path.read_bytes()
    sotto = keep(save_interval="1s")
    await_loaded(sotto)
    resource.prlimit(sotto.pid, resource.RLIMIT_FSIZE, (512 * 1_024, 512 * 1_024))
    sotto.wait_for_log("cache.unsaved", count=2)
    sotto.assert_right("a.example.")
    assert sotto.stop() == 0
    (warning,) = warnings(sotto)
    assert "File too large" in warning
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("file, reason", [
    ("/sys/sotto-cache", "its directory must be writable"),
    ("/nonexistent/sotto-cache", "its directory must exist"),
    ("/dev/null", "not a regular file"),
])
def test_a_place_that_cannot_be_written_is_one_warning_at_the_start(keep, file, reason):
    sotto = keep(file)
    sotto.wait_for_log(r"warning .*(cache\.unsaved|cache\.ignored)")
    sotto.assert_right("a.example.")
    assert sotto.stop() == 0
    (warning,) = warnings(sotto)
    assert reason in warning
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_link_in_place_of_the_new_file_is_not_followed(keep, path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.with_name(path.name + ".new").symlink_to(victim)
    sotto = keep()
    sotto.assert_right("a.example.")
    assert sotto.stop() == 0
    assert victim.read_text() == "precious"
    assert len(snapshot_file.read(path).entries) == 1
    assert os.listdir(path.parent) == [path.name]


# --- flushes and other processes ---------------------------------------------------------------


def kill(start, sotto) -> None:
    sotto.kill()
    start.started.remove(sotto)


def test_a_kill_does_not_undo_a_flush_of_everything(start, keep, fake, path):
    filled(path, 1_000)
    first = keep()
    await_loaded(first)
    assert first.cache("flush") == "1000 entries forgotten\n"
    kill(start, first)
    second = keep()
    second.assert_right("n7.example.")
    assert len(fake.asked("n7.example.")) == 1


@pytest.mark.parametrize("below", [[], ["--below"]])
def test_a_kill_soon_after_does_not_undo_a_flush_of_a_name(start, keep, fake, path, below):
    filled(path, 1_000)
    first = keep()
    await_loaded(first)
    assert first.cache("flush", "n7.example", *below).startswith("1 ")
    first.wait_for_log("cache.saved.*entries=999")
    kill(start, first)
    second = keep()
    await_loaded(second)
    for name in ("n7.example.", "n8.example."):
        second.assert_right(name)
    assert [len(fake.asked(name)) for name in ("n7.example.", "n8.example.")] == [1, 0]


def test_a_flush_while_the_file_is_read_is_not_undone(start, keep, fake, path):
    filled(path, 50_000)
    first = keep()
    first.cache("flush")
    kill(start, first)
    second = keep()
    second.assert_right("n49999.example.")
    assert len(fake.asked("n49999.example.")) == 1


def test_a_second_process_does_not_disturb_one_that_saves(keep, path):
    """As in a restart: the old one writes while the new one begins."""
    count = 20_000
    filled(path, count)
    new = path.with_name(path.name + ".new")
    first = keep(save_interval="1s")
    await_loaded(first)
    first.wait_until(new.exists, "writing")
    with first.stopped():
        writing = new.exists()
        second = keep()
        await_loaded(second)
        assert new.exists() == writing
    first.wait_for_log("cache.saved")
    assert first.stop() == 0 and second.stop() == 0
    assert not warnings(first) and not warnings(second)
    assert len(snapshot_file.read(path).entries) == count
    assert os.listdir(path.parent) == [path.name]


def test_a_large_file_is_read_beside_the_queries(keep, fake, path):
    filled(path, 50_000)
    sotto = keep()
    answered = sotto.load(200, 400, prefix="beside")
    answered.assert_none_failed()
    assert "entries=50000 skipped=0" in sotto.wait_for_log("cache.loaded")
    sotto.assert_right("n49999.example.")
    assert not fake.asked("n49999.example.")
