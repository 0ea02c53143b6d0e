"""The rounds: a thread that does what falls due by the clock."""

import logging
import threading
from datetime import timedelta

from desk.office import Office
from desk.rounds import forget_old_readings, open_overlooked

log = logging.getLogger(__name__)
_EVERY_S = 30.0
_ROLL_EVERY = 120  # rounds: once an hour


class Rounds:
    """Goes round every few seconds."""

    def __init__(self, office: Office, keep: timedelta) -> None:
        self._office, self._keep = office, keep
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        number = 0
        while not self._stopping.wait(_EVERY_S):
            try:
                open_overlooked(self._office)
                if number % _ROLL_EVERY == 0:
                    forget_old_readings(self._office, self._keep)
            except Exception:
                log.exception("a round was not finished; the next one tries again")
            number += 1
