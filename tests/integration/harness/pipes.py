"""Pipes whose reader does not read."""

import fcntl
import os


class StalledPipe:
    """As small as a pipe can be, and full. Context manager."""

    def __enter__(self) -> "StalledPipe":
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4_096)
        # An open file of our own: that of whoever is given the writer keeps its flags.
        filler = os.open(f"/proc/self/fd/{self.writer}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while os.write(filler, b"x" * 4_096):
                pass
        except BlockingIOError:
            pass
        finally:
            os.close(filler)
        return self

    def __exit__(self, *_ignored) -> None:
        os.close(self.reader)
        os.close(self.writer)
