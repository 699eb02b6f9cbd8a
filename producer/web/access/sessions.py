"""Access by token, or by the session of a browser that has logged in."""

import hmac
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.requests import Request

from shoal.producer.web.access.rates import RateLimit

SESSION_COOKIE = "shoal_session"
SESSION_SECONDS = 7 * 86_400


@dataclass(frozen=True)
class Access:
    """Decides whether a request may be answered.

    Attributes:
        token: The token that requests must prove to know; None needs none.
        ended: Sessions that were ended before they expired.
        guesses: How often a wrong token may be tried, in whatever form it is sent.
    """

    token: str | None = None
    ended: set[str] = field(default_factory=set)
    guesses: RateLimit = field(default_factory=lambda: RateLimit(burst=10, seconds=5))

    def admits(self, request: Request) -> bool:
        """Return whether a request has the token or a session, or needs neither."""
        return self.token is None or self.has_token(request) or bool(self.read_session(request))

    def has_token(self, request: Request) -> bool:
        """Return whether a request has the token as its bearer token, as programs send it."""
        return self.is_token(_read_bearer(request))

    def is_guess(self, request: Request) -> bool:
        """Return whether a request proves to have a wrong token, by its header or its cookie."""
        if self.token is None:
            return False
        if _read_bearer(request) and not self.has_token(request):
            return True
        return bool(_read_cookie(request)) and not self._is_signed(request)

    def is_token(self, given: bytes) -> bool:
        """Return whether ``given`` is the token, in a time that reveals nothing about it."""
        return self.token is not None and hmac.compare_digest(given, self.token.encode())

    def make_session(self) -> str:
        """Make the value of a session cookie: expiry and random id, signed with the token."""
        session = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        return f"{session}.{self._sign(session)}"

    def read_session(self, request: Request) -> str | None:
        """Read the session from a request's cookie; None if it is forged, expired or ended."""
        if not self._is_signed(request):
            return None
        session = _read_cookie(request).rpartition(".")[0]
        is_over = session in self.ended or parse_expiry(session) <= time.time()
        return None if is_over else session

    def _is_signed(self, request: Request) -> bool:
        session, _, signature = _read_cookie(request).rpartition(".")
        return hmac.compare_digest(signature.encode(), self._sign(session).encode())

    def _sign(self, session: str) -> str:
        # The key is made from the token: sessions survive a restart, but not another token.
        key = sha256(f"shoal session {self.token}".encode()).digest()
        return hmac.new(key, session.encode(), sha256).hexdigest()


def _read_bearer(request: Request) -> bytes:
    """Read a request's bearer token; empty if it has none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # Starlette decodes headers as Latin-1; this restores the bytes that were sent.
    return given.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


def _read_cookie(request: Request) -> str:
    """Read the cookie of a session; empty if there is none."""
    return request.cookies.get(SESSION_COOKIE, "")


def parse_expiry(session: str) -> int:
    """Read from a session when it expires, in seconds since 1970."""
    return int(session.partition(".")[0])
