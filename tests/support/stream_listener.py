"""A listener to an event stream of the page."""

import json
from threading import Thread
from typing import Any

from web_server import WebServer

Event = tuple[str, Any]


class Listener:
    """Follows a stream in a thread, as a browser does, until it ends.

    ``events`` are those about jobs that differ from the one before; ``workers`` those about them.
    """

    def __init__(self, web: WebServer, path: str) -> None:
        self.web = web
        self.path = path
        self.events: list[Event] = []
        self.workers: list[Any] = []
        self.repeated = 0
        self.comments = 0
        self.thread = Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        with self.web.http.stream("GET", f"/api/v1{self.path}", timeout=60) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in answer.iter_lines():
                kind, _, value = line.partition(": ")
                if kind == "event":
                    name = value
                elif kind == "data":
                    self._note((name, json.loads(value)))

    def _note(self, event: Event) -> None:
        if event[0] == "workers":
            self.workers.append(event[1])
        elif self.events and event == self.events[-1]:
            self.repeated += 1
        else:
            self.events.append(event)

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def has_ended(self) -> bool:
        return not self.thread.is_alive()
