"""The port for operations: health, readiness and metrics of a part, from a thread."""

import logging
import threading

import uvicorn

from api.context import Backstage
from api.ops import create_ops

log = logging.getLogger(__name__)


class OpsPort:
    """Serves ``stage`` to supervisor and scraper."""

    def __init__(self, stage: Backstage, host: str, port: int) -> None:
        config = uvicorn.Config(
            create_ops(stage),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=50,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="ops", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens, once it does."""
        sockets = [one for server in self._server.servers for one in server.sockets]
        return int(sockets[0].getsockname()[1])

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            self._thread.join(0.01)
        if not self._server.started:
            where = f"{self._server.config.host}:{self._server.config.port}"
            raise OSError(f"cannot listen for operations at {where} (ops_port)")
        log.info("listening for operations", extra={"port": self.port})

    def stop(self) -> None:
        """End."""
        self._server.should_exit = True
        self._thread.join(5)

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:  # uvicorn's way to say that the address is taken
            log.error("the port for operations is taken", extra={"port": self._server.config.port})
