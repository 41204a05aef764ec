"""A packet capture of the loopback interface, to prove that a name never leaves in clear text."""

import socket
import struct
import threading

_ETH_P_ALL = 3


class LoopbackCapture:
    """Keeps (source port, destination port, payload) of all IPv4 TCP and UDP packets on lo. Needs
    root or CAP_NET_RAW; the constructor raises PermissionError without. Context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.settimeout(0.2)
        self.packets: list[tuple[int, int, bytes]] = []
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
        while True:
            try:
                packet = self._socket.recv(65_536)
            except TimeoutError:
                if self._stop.is_set():
                    return
                continue
            self._keep(packet)

    def _keep(self, packet: bytes) -> None:
        if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] not in (6, 17):
            return
        start = (packet[0] & 0x0F) * 4
        if len(packet) < start + 8:
            return
        source, destination = struct.unpack_from("!HH", packet, start)
        header = 8 if packet[9] == 17 else (packet[start + 12] >> 4) * 4
        self.packets.append((source, destination, packet[start + header :]))

    def holding(self, text: bytes) -> set[tuple[int, int]]:
        """Ports of the packets whose payload holds text in any case."""
        wanted = text.lower()
        return {(source, destination) for source, destination, payload in list(self.packets)
                if wanted in payload.lower()}
