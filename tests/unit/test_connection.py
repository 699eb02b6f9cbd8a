import re
from typing import Any
from urllib.parse import quote

import pytest
from redis import Redis
from redis.client import Pipeline as RedisPipeline
from servers import open_redis

from shoal.shared.errors import SettingsError
from shoal.shared.messaging.broker import backend_url, make_app
from shoal.shared.redis.commands import Pipeline, RedisClient
from shoal.shared.redis.connection import broker_url, check_url, connect, hide_password


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user:p%40ss@example:1/2", "redis://user:p%40ss@example:1/2"),
        ("redis://example", "redis://example"),
        ("rediss://example:6380/1", "rediss://example:6380/1?ssl_cert_reqs=required"),
        ("rediss://example/?ssl_cert_reqs=none", "rediss://example/?ssl_cert_reqs=none"),
        (
            "rediss://example/0?ssl_ca_certs=/ca.pem",
            "rediss://example/0?ssl_ca_certs=%2Fca.pem&ssl_cert_reqs=required",
        ),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
        ("unix:///a.sock?password=p%2Fw", "redis+socket://:p%2Fw@/a.sock?virtual_host=0"),
        (
            "unix:///a.sock?username=us%40er&password=pw",
            "redis+socket://us%40er:pw@/a.sock?virtual_host=0",
        ),
        ("unix://user:pw@/a.sock?password=x", "redis+socket://user:pw@/a.sock?virtual_host=0"),
        ("redis://example/0?password=pw", "redis://:pw@example/0"),
    ],
)
def test_a_url_in_the_spelling_of_celery(url, expected):
    assert broker_url(url) == expected


@pytest.mark.parametrize(
    ("url", "db"), [("unix:///run/valkey.sock?db=3", 3), ("redis://example/4", 4)]
)
def test_redis_and_celerys_results_use_the_same_database(url, db):
    backend: Any = make_app(url).backend
    assert open_redis(url).connection_pool.connection_kwargs["db"] == db
    assert int(backend.connparams["db"]) == db


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis:localhost", ""])
def test_a_url_of_another_kind_is_refused_with_those_that_work(url):
    for refuse in (check_url, connect, make_app):
        with pytest.raises(SettingsError, match="expected redis://HOST:PORT/DB"):
            refuse(url)


def test_a_refused_url_does_not_show_its_password():
    with pytest.raises(SettingsError) as refusal:
        check_url("http://user:secret@example")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://host:abc",
        "redis://:secret/word@host",
        "redis://host:99999/0?password=secret",
        "redis://user:secret@host?foo=1",
        "redis://host?db=abc",
        "rediss://:secret@host?ssl_cert_reqs=foo",
        "redis://[::1@secret@host",
    ],
)
def test_a_url_that_does_not_parse_is_refused_without_its_password(url):
    for refuse in (check_url, connect, make_app):
        with pytest.raises(SettingsError, match=r"^SHOAL_REDIS_URL is redis") as refusal:
            refuse(url)
        assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "password", ["12#34", "12/34", "12?34", "12@/34", "12#@34", "se:cr[et", "a/b@c"]
)
@pytest.mark.parametrize("rest", ["host:6379/0", "host", "host/0?health_check_interval=5"])
def test_a_password_that_ends_the_host_of_its_url_is_refused_with_the_remedies(password, rest):
    with pytest.raises(SettingsError) as refusal:
        check_url(f"redis://:{password}@{rest}")
    message = str(refusal.value)
    assert message.startswith("SHOAL_REDIS_URL is redis://…")
    assert not any(part in message for part in re.split(r"\W", password) if len(part) > 1)
    assert "%40 %2F %3A %3F %23 %25" in message
    assert "SHOAL_REDIS_PASSWORD_FILE" in message


@pytest.mark.parametrize(
    "url",
    [
        "unix://:pa/ss@/run/valkey.sock",
        "unix://:pa@ss/@/run/valkey.sock",
        "redis://:1234",
        "redis://host/0?password=secret#more",
        "redis://host/0?secret@host",
        "my:secret@host:6379",
    ],
)
def test_what_may_be_a_part_of_a_password_is_not_shown(url):
    with pytest.raises(SettingsError) as refusal:
        check_url(url)
    assert not any(part in str(refusal.value) for part in ("secret", "pa/", "ss@", "1234"))


@pytest.mark.parametrize("password", ["p@ss", "p:ss", "p%40/ss", "#?@:/[]%", "pä ss"])
@pytest.mark.parametrize("url", ["redis://host:1/2", "rediss://host/0", "unix:///a.sock?db=1"])
def test_an_escaped_password_is_the_same_for_redis_and_celery(url, password):
    scheme, _, rest = url.partition("://")
    full = f"{scheme}://:{quote(password, safe='')}@{rest}"
    app: Any = make_app(full)
    assert open_redis(full).connection_pool.connection_kwargs["password"] == password
    assert app.backend.connparams["password"] == password
    if not url.startswith("unix"):  # kombu reads such a URL when it connects
        assert app.connection_for_write().password == password
    shown = [hide_password(full), app.connection_for_write().as_uri(), app.backend.as_uri()]
    for text in [*shown, repr(open_redis(full)), repr(app.connection_for_write())]:
        assert password not in text
        assert quote(password, safe="") not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pa/ss@host:1/0", "redis://…@host:1/0"),
        ("redis://user:p@ss@host", "redis://…@host"),
        ("unix:///a.sock?password=pw&db=1", "unix:///a.sock?password=…&db=1"),
        ("redis://host/0?password=p@ss", "redis://host/0?password=…"),
        (
            "redis://host/0?username=me&password=p@ss&db=1",
            "redis://host/0?username=…&password=…&db=1",
        ),
        ("redis://host/0", "redis://host/0"),
    ],
)
def test_a_password_is_not_shown(url, shown):
    assert hide_password(url) == shown


def test_a_client_does_not_connect_before_it_is_asked():
    connect("redis://127.0.0.1:1/0").close()
    make_app("redis://127.0.0.1:1/0").close()


def test_the_result_backend_is_ours():
    assert (
        backend_url("redis://example/0")
        == "shoal.shared.messaging.broker:ChordBackend+redis://example/0"
    )
    assert backend_url("redis+socket:///a.sock").startswith(
        "shoal.shared.messaging.broker:ChordBackend+socket://"
    )
    assert type(make_app("redis://example/0").backend).__name__ == "ChordBackend"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", True),
        ("task_ignore_result", True),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("broker_connection_max_retries", None),
        ("worker_enable_remote_control", False),
        ("accept_content", ["json"]),
    ],
)
def test_a_setting_without_which_work_is_lost_or_not_safe(setting, value):
    assert make_app("redis://example/0").conf[setting] == value


@pytest.mark.parametrize(("ours", "theirs"), [(RedisClient, Redis), (Pipeline, RedisPipeline)])
def test_redis_py_has_every_command_that_is_typed(ours, theirs):
    commands = {name for name in vars(ours) if not name.startswith("_")}
    assert "hget" in commands
    assert commands <= set(dir(theirs))
