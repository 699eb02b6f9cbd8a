"""Access by token, or by the session of a browser that has logged in."""

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
    """Decides whether a request may be answered.

    Attributes:
        token: The token that requests must prove to know; None needs none.
        ended: Sessions that were ended before they expired.
    """

    token: str | None = None
    ended: set[str] = field(default_factory=set)

    def admits(self, request: Request) -> bool:
        """Return whether a request has the token or a session, or needs neither."""
        return self.token is None or self.has_token(request) or bool(self.read_session(request))

    def has_token(self, request: Request) -> bool:
        """Return whether a request has the token as its bearer token, as programs send it."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Starlette decodes headers as Latin-1; this restores the bytes that were sent.
        return scheme.lower() == "bearer" and self.is_token(given.strip().encode("latin-1"))

    def is_token(self, given: bytes) -> bool:
        """Return whether ``given`` is the token, in a time that reveals nothing about it."""
        return self.token is not None and hmac.compare_digest(given, self.token.encode())

    def make_session(self) -> str:
        """Make the value of a session cookie: expiry and random id, signed with the token."""
        session = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        return f"{session}.{self._sign(session)}"

    def read_session(self, request: Request) -> str | None:
        """Read the session from a request's cookie; None if it is forged, expired or ended."""
        session, _, signature = request.cookies.get(SESSION_COOKIE, "").rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(session).encode()):
            return None
        is_over = session in self.ended or parse_expiry(session) <= time.time()
        return None if is_over else session

    def _sign(self, session: str) -> str:
        # The key is made from the token: sessions survive a restart, but not another token.
        key = sha256(f"shoal session {self.token}".encode()).digest()
        return hmac.new(key, session.encode(), sha256).hexdigest()


def parse_expiry(session: str) -> int:
    """Read from a session when it expires, in seconds since 1970."""
    return int(session.partition(".")[0])
