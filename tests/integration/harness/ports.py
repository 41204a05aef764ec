"""Free loopback ports, found by binding; safe when several test runs share a machine."""

import os
import random
import socket

# Below Linux's ephemeral range (32768…), so that no outgoing connection takes a port between our
# finding it and the server's binding it; which of them is left to chance, so that runs rarely meet.
_RANGE = (10_240, 32_000)
_handed_out: set[int] = set()

# A server that is down for a while keeps its port: processes that test at a time share the range.
_SHARES = 16
_SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    probe.bind((address, port))
                except OSError:
                    return False
    return True


def is_left(port: int) -> bool:
    """Does nobody hold this loopback port any more? Connections that have ended may linger."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port() -> int:
    """A port free for UDP and TCP, IPv4 and IPv6, not handed out before in this run."""
    for _ in range(1_000):
        port = random.randint(*_RANGE) // _SHARES * _SHARES + _SHARE
        if port not in _handed_out and _is_free(port):
            _handed_out.add(port)
            return port
    raise RuntimeError("no free port found")
