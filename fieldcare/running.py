"""Running: start the parts in order, serve until told to stop, stop them in reverse."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from fieldcare.wiring import Part


@contextlib.contextmanager
def running(parts: Sequence[Part]) -> Iterator[None]:
    """Run ``parts`` while the block lasts; what was started is stopped, whatever happens."""
    with contextlib.ExitStack() as stack:
        for part in parts:
            part.start()
            stack.callback(part.stop)
        yield


def wait_for_signal() -> None:
    """Return at Ctrl-C or SIGTERM."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    stopped.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
