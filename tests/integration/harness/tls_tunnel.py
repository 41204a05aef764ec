"""TLS in front of a server that speaks DNS over plain TCP.

nsd 4.6 stops reading a TLS connection when a record holds more than one query: what is left in the
record wakes nobody. Behind a tunnel its answers can be asked for in bulk.
"""

import asyncio
import threading

from . import ports
from .certificates import Leaf
from .fake_upstream import server_context
from .waiting import PATIENCE


class TlsTunnel:
    """Runs on a thread of its own. Context manager."""

    def __init__(self, leaf: Leaf, address: str, to_port: int):
        self.port = ports.free_port()
        self._address, self._to_port = address, to_port
        self._context = server_context(leaf)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="TLS tunnel")

    def __enter__(self) -> "TlsTunnel":
        self._thread.start()
        self._call(asyncio.start_server(self._serve, self._address, self.port, ssl=self._context))
        return self

    def __exit__(self, *_ignored) -> None:
        self._call(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    @staticmethod
    async def _end_tasks() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(self._address, self._to_port)
        await asyncio.gather(self._pass(reader, inner_writer), self._pass(inner_reader, writer))

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(65_536):
                writer.write(octets)
                await writer.drain()
        except OSError:
            pass  # the other side learns it by our closing
        finally:
            writer.close()
