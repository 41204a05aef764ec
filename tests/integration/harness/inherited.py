"""What a service manager does: open sockets, then start a program that finds them."""

import socket
import sys

# Runs in the process that becomes the program, as the variables name its own number.
_EXEC = """
import fcntl, os, sys
fds, names, command = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in fds]
for at, fd in enumerate(fds):
    os.dup2(fd, 3 + at)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


def opened(kind: socket.SocketKind, address: str, port: int, *,
           both_families: bool = False) -> socket.socket:
    """Bound, and listening if it is a stream; blocking, as systemd's are."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both_families)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    if kind == socket.SOCK_STREAM:
        made.listen(100)
    return made


def command(sockets: list[tuple[str, socket.socket]], program: list[str]) -> list[str]:
    """Runs the program with these sockets under these names; to be started with pass_fds."""
    fds = ",".join(str(each.fileno()) for _name, each in sockets)
    names = ":".join(name for name, _socket in sockets)
    return [sys.executable, "-c", _EXEC, fds, names, *program]


