"""What stands before a server of buckets and lets it fail: away, busy or cutting."""

from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

REFUSALS = {"busy": (503, "SlowDown"), "expired": (400, "ExpiredToken")}


class BucketGate:
    """Passes requests on to the server at a port, as ``fault`` says.

    Attributes:
        fault: "" for none; "away", "busy", "expired"; or "cut": half of each content.
        n_struck: How many requests have suffered from it.
        port: Where it listens.
    """

    def __init__(self, target_port: int) -> None:
        self.fault = ""
        self.n_struck = 0
        gate = self

        class Passage(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gate.n_struck += bool(gate.fault)
                self.close_connection = True
                if gate.fault == "away":
                    return
                if gate.fault in REFUSALS:
                    self._refuse(*REFUSALS[gate.fault])
                else:
                    self._pass_on(is_cut=gate.fault == "cut")

            def do_HEAD(self) -> None:
                self.do_GET()

            def _refuse(self, status: int, code: str) -> None:
                body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _pass_on(self, *, is_cut: bool) -> None:
                server = HTTPConnection("127.0.0.1", target_port)
                server.request(self.command, self.path, headers=dict(self.headers))
                answer = server.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in {"transfer-encoding", "connection", "server", "date"}:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if is_cut else content)
                server.close()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passage)
        self.port: int = self._server.server_port
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
