"""Network namespaces of a test's own, joined by a link that it takes down, spoils and readdresses.

A namespace lives as long as its object: nothing of it has a name or remains. Needs root.
"""

import concurrent.futures
import contextlib
import ctypes
import errno
import functools
import os
import pathlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

from .waiting import wait_for

_CLONE_NEWNET = 0x4000_0000
_HARDWARE = ("02:00:00:00:00:01", "02:00:00:00:00:02")  # of the ends of a Link
_libc = ctypes.CDLL(None, use_errno=True)


@functools.cache
def missing() -> str:
    """Why namespaces cannot be used here; empty if they can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    for tool in ("ip", "nft"):
        if not shutil.which(tool):
            return f"needs {tool}"
    try:
        with Link() as link:
            link.there.filter(hook="input")
    except (OSError, AssertionError) as error:  # root of a container, or a kernel without nftables
        return f"needs network namespaces and nftables: {error}"
    return ""


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """With its loopback interface up. Sockets made and programs started inside belong to it."""

    def __init__(self) -> None:
        def make() -> int:
            _check(_libc.unshare(_CLONE_NEWNET))
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        with concurrent.futures.ThreadPoolExecutor(1) as other:  # this thread stays where it is
            self._fd = other.submit(make).result()
        self.run("ip", "link", "set", "lo", "up")
        for kind in ("all", "default"):  # an IPv6 address is good at once, not after a second
            self.set(f"ipv6/conf/{kind}/accept_dad", "0")

    @property
    def path(self) -> str:
        """For ip link … netns."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread, the threads and the programs that it starts are in the namespace."""
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _check(_libc.setns(self._fd, _CLONE_NEWNET))
        try:
            yield
        finally:
            _check(_libc.setns(outside, _CLONE_NEWNET))
            os.close(outside)

    def run(self, *command: str, text: str | None = None) -> str:
        with self.inside():
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def set(self, key: str, value: str) -> None:
        """One of the kernel's settings of this namespace."""
        with self.inside():
            pathlib.Path("/proc/sys/net", key).write_text(value)

    def filter(self, *rules: str, hook: str = "output") -> None:
        """nftables rules for everything that leaves (or comes in: hook "input"), in place of those
        there were; none: everything passes."""
        lines = "\n".join(f"    {rule}" for rule in rules)
        self.run("nft", "-f", "-", text=f"""table inet {hook}
delete table inet {hook}
table inet {hook} {{
  chain rules {{
    type filter hook {hook} priority 0
{lines}
  }}
}}
""")

    def close(self) -> None:
        os.close(self._fd)


class Link:
    """Two namespaces and a link between: here, where sotto is, and there, where upstreams are.
    Context manager."""

    HERE, THERE = "10.53.0.1", "10.53.0.2"
    HERE6, THERE6 = "fd53::1", "fd53::2"

    def __init__(self) -> None:
        self.here, self.there = Namespace(), Namespace()
        self.here.run("ip", "link", "add", "name", "up0", "address", _HARDWARE[0], "type", "veth",
                      "peer", "name", "up0", "address", _HARDWARE[1], "netns", self.there.path)
        for end, address in ((self.here, self.HERE), (self.there, self.THERE)):
            end.run("ip", "address", "add", f"{address}/24", "dev", "up0")
            end.run("ip", "link", "set", "up0", "up")
        self._join6()
        self.await_path(self.THERE, self.THERE6)

    def _join6(self) -> None:
        """Its own neighbour discovery would take a second."""
        for end, mine, other, hardware in (
                (self.here, self.HERE6, self.THERE6, _HARDWARE[1]),
                (self.there, self.THERE6, self.HERE6, _HARDWARE[0])):
            end.run("ip", "address", "replace", f"{mine}/64", "dev", "up0", "nodad")
            end.run("ip", "neighbour", "replace", other, "lladdr", hardware, "dev", "up0")

    def await_path(self, *addresses: str) -> None:
        """Waits until packets from here reach them: a link takes its time to be up."""
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            wait_for(lambda: self._refuses(family, address), f"a path to {address}")

    def _refuses(self, family: socket.AddressFamily, address: str) -> bool:
        with self.here.inside(), socket.socket(family) as probe:
            probe.settimeout(0.05)
            return probe.connect_ex((address, 1)) == errno.ECONNREFUSED

    def down(self) -> None:
        self.here.run("ip", "link", "set", "up0", "down")

    def up(self) -> None:
        """As after a cable is plugged in again; the IPv6 address went with it."""
        self.here.run("ip", "link", "set", "up0", "up")
        self._join6()

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_ignored) -> None:
        self.here.close()
        self.there.close()
