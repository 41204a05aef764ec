"""A packet capture of the loopback interface, to prove that a name never leaves in clear text."""

import contextlib
import socket
import struct
import threading

_ETH_P_ALL = 3


class LoopbackCapture:
    """Keeps the source and destination ports of the IPv4 TCP and UDP packets on lo whose payload
    holds a text in any case. Needs root or CAP_NET_RAW; the constructor raises PermissionError
    without. Context manager."""

    def __init__(self, text: bytes) -> None:
        self._text = text.lower()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.settimeout(0.2)
        self.holding: set[tuple[int, int]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture")

    def __enter__(self) -> "LoopbackCapture":
        self._thread.start()
        return self

    def __exit__(self, *_ignored) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                self._look(self._socket.recv(65_536))

    def _look(self, packet: bytes) -> None:
        if self._text not in packet.lower() or packet[0] >> 4 != 4 or packet[9] not in (6, 17):
            return
        ports = (packet[0] & 0x0F) * 4  # behind the IP header, for TCP and UDP alike
        self.holding.add(struct.unpack_from("!HH", packet, ports))
