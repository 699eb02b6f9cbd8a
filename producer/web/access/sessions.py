"""Access: who may see and change what the page shows."""

import hmac
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.requests import Request

SESSION_COOKIE = "shoal_session"
SESSION_SECONDS = 7 * 86_400


@dataclass(frozen=True)
class Access:
    """Whether a request may be answered.

    Attributes:
        token: What who asks must know; None lets everybody on this machine in.
        ended: Sessions that were ended before they expired.
    """

    token: str | None = None
    ended: set[str] = field(default_factory=set)

    def admits(self, request: Request) -> bool:
        """Return whether a request comes from somebody who knows the token."""
        return self.token is None or self.has_token(request) or bool(self.read_session(request))

    def has_token(self, request: Request) -> bool:
        """Return whether a request carries the token, as a program's does."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Headers are Latin-1 by their standard; what was sent are bytes.
        return scheme.lower() == "bearer" and self.is_token(given.strip().encode("latin-1"))

    def is_token(self, given: bytes) -> bool:
        """Return whether ``given`` is the token, in a time that tells nothing of it."""
        return self.token is not None and hmac.compare_digest(given, self.token.encode())

    def make_session(self) -> str:
        """Return a cookie's value: a session that stands for the token, and its signature."""
        session = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        return f"{session}.{self._sign(session)}"

    def read_session(self, request: Request) -> str | None:
        """Return the session of a request's cookie, unless it has expired or was ended."""
        session, _, signature = request.cookies.get(SESSION_COOKIE, "").rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(session).encode()):
            return None
        is_over = session in self.ended or parse_expiry(session) <= time.time()
        return None if is_over else session

    def _sign(self, session: str) -> str:
        # Made from the token: a session outlives the server, and ends with the token.
        key = sha256(f"shoal session {self.token}".encode()).digest()
        return hmac.new(key, session.encode(), sha256).hexdigest()


def parse_expiry(session: str) -> int:
    """Return when a session expires, in seconds since 1970."""
    return int(session.partition(".")[0])
