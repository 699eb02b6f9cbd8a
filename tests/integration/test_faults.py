"""What a server may do to its clients: settings that lose jobs, and restarts."""

import threading

import pytest
from servers import open_redis

from shoal.producer.client import Client
from shoal.shared.errors import ConnectionLostError, UsageError
from shoal.shared.redis.connection import describe_faults

pytestmark = pytest.mark.each_server


@pytest.fixture
def configured(redis):
    """Sets the server's configuration for one test."""
    names = ("maxmemory-policy", "appendonly")
    before = {name: redis.config_get(name)[name] for name in names}
    yield redis.config_set
    for name, value in before.items():
        redis.config_set(name, value)


def test_a_durable_server_has_no_fault(redis):
    assert describe_faults(redis) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_a_server_that_may_evict_is_named_with_its_remedy(redis, configured, policy):
    configured("maxmemory-policy", policy)
    (fault,) = describe_faults(redis)
    assert policy in fault
    assert "CONFIG SET maxmemory-policy noeviction" in fault


def test_a_server_that_forgets_is_named_with_its_remedy(redis, configured):
    configured("appendonly", "no")
    (fault,) = describe_faults(redis)
    assert "CONFIG SET appendonly yes" in fault


def test_all_faults_are_named_at_once(redis, configured):
    configured("maxmemory-policy", "allkeys-random")
    configured("appendonly", "no")
    assert len(describe_faults(redis)) == 2


@pytest.fixture
def aged(redis, monkeypatch):
    """Lets the server say that it is of another version."""

    def age(version):
        monkeypatch.setattr(type(redis), "info", lambda *_: {"redis_version": version})

    return age


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "6.2.7-rc1"])
def test_a_server_that_is_too_old_is_named_with_its_remedy(redis, server_url, aged, version):
    aged(version)
    (fault,) = describe_faults(redis)
    assert f"Redis {version} is too old: use Redis 7" in fault
    with pytest.raises(UsageError, match="Redis 7 or newer, or Valkey"):
        Client(server_url).check_connection()


@pytest.mark.parametrize("version", ["7.0.0", "8.2.1", "10.0.0", "unstable", "", 7.4, None])
def test_a_server_that_is_new_enough_or_does_not_tell_has_no_fault(redis, aged, version):
    aged(version)
    assert describe_faults(redis) == []


def test_a_server_that_hides_its_settings_is_trusted(redis, server_url):
    redis.acl_setuser(
        "guest",
        enabled=True,
        passwords=["+secret"],
        commands=["+@all", "-config", "-info"],
        keys=["*"],
    )
    guest = open_redis(server_url)
    try:
        guest.execute_command("AUTH", "guest", "secret")
        assert describe_faults(guest) == []
    finally:
        guest.close()
        redis.acl_deluser("guest")


def test_a_patient_client_waits_for_a_server_that_restarts(own_server):
    own_server.start()
    patient = open_redis(own_server.url)
    patient.set("before", 1)
    own_server.stop()
    restart = threading.Timer(0.5, own_server.start)
    restart.start()
    assert patient.get("before") == b"1"
    restart.join()


def test_a_hasty_client_says_that_the_server_is_away(own_server):
    with pytest.raises(ConnectionLostError):
        open_redis(own_server.url, retries=0).ping()
