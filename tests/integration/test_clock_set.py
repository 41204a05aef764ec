"""The wall clock is set, as on a machine without a battery that starts in 1970."""

import dns.rcode

from harness.waiting import wait_for


def test_what_was_judged_by_a_wrong_clock_is_judged_anew(start, fake, authority, leaf, clock):
    """BEHAVIOUR 12: certificates were "not yet valid"; nobody waits for the end of the back-off."""
    fake.use(authority.leaf(names=("other.test",), addresses=()))
    sotto = start(fake, env=clock.environment)
    for attempt in range(3):
        assert sotto.ask(f"wrong-{attempt}.example.").rcode() == dns.rcode.SERVFAIL
    fake.use(leaf)
    wait_for(lambda: not fake.live, "the end of a handshake that began before")
    clock.tell_it_was_set()
    sotto.wait_for_log("clock.changed")
    sotto.assert_right("right.example.")
