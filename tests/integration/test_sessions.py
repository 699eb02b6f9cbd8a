"""Sessions that were ended, as the store keeps them."""

import time
from typing import Any

import pytest

from shoal.shared.store import EndedSessions, keys


@pytest.fixture
def now() -> float:
    return time.time()


def test_an_ended_session_is_kept_until_it_would_have_expired(redis: Any, now: float) -> None:
    sessions = EndedSessions(redis)
    sessions.add("brief", now + 100)
    sessions.add("long", now + 1000)
    assert sessions.find(now) == {"brief", "long"}
    assert sessions.find(now + 101) == {"long"}
    assert sessions.find(now + 1001) == set()


def test_all_of_them_go_with_the_last(redis: Any, now: float) -> None:
    for seconds in (100, 1000, 10):
        EndedSessions(redis).add(f"{seconds}", now + seconds)
    assert 900 < redis.ttl(keys.SESSIONS) <= 1001
