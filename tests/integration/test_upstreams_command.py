"""sotto upstreams: what the running sotto knows of its upstreams, for people and for programs."""

import datetime
import json
import subprocess

from harness import wire
from harness.sotto import binary, environment
from harness.waiting import PATIENCE, wait_for


def upstreams(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(binary()), "upstreams", *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment(), check=False)


def shown(sotto, *flags: str) -> str:
    result = upstreams("--socket", str(sotto.control_socket), *flags)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def told(sotto) -> dict:
    return json.loads(shown(sotto, "--json"))


def test_one_that_works_and_one_that_does_not(start, make_fake, authority):
    good, broken = make_fake(), make_fake(leaf=authority.leaf(names=("other.test",)))
    sotto = start({"url": broken.url(), "group": "first"}, {"url": good.url(), "group": "second"},
                  group=[{"name": "first"}, {"name": "second", "select": "order"}])
    for index in range(3):
        sotto.assert_right(f"shown-{index}.example.")
    report = wait_for(lambda: _settled(told(sotto)), "the broken one has failed")
    assert (report["workers"], report["usable"]) == (["up"], True)
    first, second = report["upstreams"]

    assert (first["group"], first["select"], first["usable"]) == ("first", "fastest", False)
    assert first["totals"]["failures"]["authentication"] >= 1
    (endpoint,) = first["endpoints"]
    assert endpoint["address"] == f"127.0.0.1:{broken.port}"
    assert (endpoint["state"], endpoint["failure"]) == ("failing", "authentication")
    assert "dns.test" in endpoint["failure_reason"]
    assert 0 <= endpoint["next_attempt_seconds"] <= 10

    assert (second["group"], second["select"], second["usable"]) == ("second", "order", True)
    assert second["totals"]["answered"] >= 3
    assert second["totals"]["handshakes"] == good.handshakes
    assert sum(second["totals"]["failures"].values()) == 0
    latency = second["latency_seconds"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]
    (endpoint,) = second["endpoints"]
    assert (endpoint["state"], endpoint["authenticated_as"]) == ("works", "dns.test")
    expires = datetime.datetime.fromisoformat(endpoint["certificate_expires"][:-1] + "+00:00")
    assert expires > datetime.datetime.now(datetime.timezone.utc)
    (connection,) = endpoint["connections"]
    assert (connection["state"], connection["worker"]) == ("ready", 0)
    assert connection["tls"].startswith("TLS1.3")

    text = shown(sotto)
    assert text.startswith("group first, by fastest\n\n" + broken.url())
    assert "\n\ngroup second, by order\n\n" + good.url() in text
    assert f"{broken.url()}: not usable\n" in text
    assert f"{good.url()}: usable\n" in text
    assert f"  127.0.0.1:{broken.port}  failing\n" in text
    assert f"  127.0.0.1:{good.port}  works\n" in text
    assert max(map(len, text.splitlines())) <= 100


def _settled(report: dict) -> dict | None:
    return report if report["upstreams"][0]["endpoints"][0]["state"] == "failing" else None


def test_what_is_in_flight_is_told(start, fake):
    sotto = start(fake, workers=2)
    with fake.held(), sotto.stream() as client:
        client.send(*[wire.query(f"flight-{index}.example", ident=index) for index in range(7)])
        fake.wait_for_query("flight-6.example")
        report = told(sotto)
        (upstream,) = report["upstreams"]
        assert report["workers"] == ["up", "up"]
        assert upstream["in_flight"] == 7
        assert upstream["totals"]["sent"] == 7
        assert upstream["totals"]["answered"] == 0
        assert "7 in flight, 0 answered" in shown(sotto)
    wait_for(lambda: told(sotto)["upstreams"][0]["totals"]["answered"] == 7, "all answered")


def test_without_a_sotto_it_says_so(tmp_path):
    path = str(tmp_path / "none")
    result = upstreams("--socket", path)
    assert result.returncode == 1
    assert result.stderr == (
        f"sotto: {path} does not exist: sotto is not running, or uses another control.socket\n")


def test_wrong_usage_is_told():
    for arguments, fault in ((("quad9",), 'unexpected "quad9"; all upstreams are shown'),
                             (("--jsn",), 'unknown option ("--jsn"); did you mean "--json"?'),
                             (("--socket", ""), "--socket: the path is empty")):
        result = upstreams(*arguments)
        assert result.returncode == 2
        assert result.stderr == f"sotto: {fault}; see sotto upstreams --help\n"
