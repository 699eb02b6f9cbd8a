from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shoal.shared.errors import SettingsError, UsageError
from shoal.shared.settings import Settings, make_environment, read_settings


def test_nothing_set_gives_the_defaults():
    assert read_settings({}) == Settings()
    assert read_settings({"PATH": "/bin", "SHOAL_HOME": ""}) == Settings()


def test_each_variable_has_the_type_of_its_setting(tmp_path):
    environment = {
        "SHOAL_REDIS_URL": "redis://example/3",
        "SHOAL_LEASE_SECONDS": "3.5",
        "SHOAL_MAX_IMAGE_PIXELS": "1000",
        "SHOAL_FIT_MEMORY": "2G",
    }
    settings = read_settings(environment)
    assert settings.redis_url == "redis://example/3"
    assert settings.lease_seconds == 3.5
    assert settings.max_image_pixels == 1000
    assert settings.fit_memory == 2 * 2**30


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1048576", 2**20), ("512K", 2**19), ("500m", 500 * 2**20), (" 2GiB ", 2**31), ("1TB", 2**40)],
)
def test_bytes_have_units(text, expected):
    assert read_settings({"SHOAL_MAX_IMAGE_BYTES": text}).max_image_bytes == expected


def test_bytes_of_another_form_are_refused_with_an_example():
    with pytest.raises(SettingsError, match=r"SHOAL_FIT_MEMORY: '1.5G' is no number .* 500M"):
        read_settings({"SHOAL_FIT_MEMORY": "1.5G"})


def test_roots_are_absolute_and_resolved(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    roots = read_settings({"SHOAL_IMAGE_ROOTS": f"{tmp_path / 'link'}::relative"}).image_roots
    assert roots == (tmp_path.resolve(), Path.cwd() / "relative")


def test_home_is_absolute_and_knows_the_tilde():
    assert read_settings({"SHOAL_HOME": "~/fish"}).home == Path.home() / "fish"
    assert read_settings({"SHOAL_HOME": "fish"}).home == Path.cwd() / "fish"


def test_roots_know_the_tilde():
    roots = read_settings({"SHOAL_IMAGE_ROOTS": "~/Pictures:/srv"}).image_roots
    assert roots == ((Path.home() / "Pictures").resolve(), Path("/srv"))


def test_a_token_from_a_file_has_no_newline_at_its_end():
    assert read_settings({"SHOAL_WEB_TOKEN": "abcdefghijklmnop\n"}).web_token == "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SHOAL_LEASE_SECONDS", "soon"),
        ("SHOAL_LEASE_SECONDS", "0"),
        ("SHOAL_SWEEP_SECONDS", "-1"),
        ("SHOAL_FIT_MEMORY", "much"),
        ("SHOAL_FIT_MEMORY", "0"),
        ("SHOAL_MAX_IMAGE_BYTES", "5 parsecs"),
    ],
)
def test_what_does_not_parse_is_named(variable, text):
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        read_settings({variable: text})


def test_a_misspelt_variable_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"SHOAL_REDIS is not a setting.*SHOAL_REDIS_URL"):
        read_settings({"SHOAL_REDIS": "redis://example"})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SHOAL_SERVICE_HOST", "10.0.0.1"),
        ("SHOAL_SERVICE_HOST", "fd00::1"),
        ("SHOAL_SERVICE_PORT", "80"),
        ("SHOAL_SERVICE_PORT_HTTP", "80"),
        ("SHOAL_PORT", "tcp://10.0.0.1:80"),
        ("SHOAL_PORT_6379_TCP", "tcp://10.0.0.1:6379"),
        ("SHOAL_PORT_6379_TCP_ADDR", "10.0.0.1"),
        ("SHOAL_PORT_53_UDP_PROTO", "udp"),
        ("SHOAL_REDIS_SERVICE_HOST", "10.0.0.2"),
        ("SHOAL_REDIS_PORT_6379_TCP_PORT", "6379"),
        ("SHOAL_NAME", "/worker/shoal"),
        ("SHOAL_ENV_SHOAL_HOME", "/data"),
        ("SHOAL_PORT_8080_TCP_PORT_START", "8080"),
        ("SHOAL_PORT_8080_TCP_START", "tcp://10.0.0.1:8080"),
    ],
)
def test_what_kubernetes_and_docker_set_for_a_service_of_this_name_is_no_setting(variable, text):
    assert read_settings({variable: text}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SHOAL_PORT", "8080"),
        ("SHOAL_REDIS_PORT", "6379"),
        ("SHOAL_HOST", "10.0.0.1"),
        ("SHOAL_NAME", "mine"),
        ("SHOAL_ENV", "production"),
        ("SHOAL_SERVICE_HOST", "somewhere else"),
        ("SHOAL_SWEEP_SECOND", "1"),
        ("SHOAL_REDIS_URLS_SERVICE", "1"),
    ],
)
def test_what_looks_like_a_setting_is_still_refused_if_it_is_none(variable, text):
    with pytest.raises(SettingsError, match=f"^{variable} is not a setting"):
        read_settings({variable: text})


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("SHOAL_LEASE_SECONDS", "soon", "a number of seconds from 3 to 86,400"),
        ("SHOAL_SWEEP_SECONDS", "0", "a number of seconds from 0.5 to 3,600"),
        ("SHOAL_MAX_IMAGE_PIXELS", "many", "1 pixel or more"),
        ("SHOAL_FIT_MEMORY", "0", "1 byte or more"),
        ("SHOAL_IMAGE_MEMORY", "1M", "64M or more"),
        ("SHOAL_WEB_TOKEN", "short", "16 characters or more"),
    ],
)
def test_a_refusal_says_in_words_what_is_expected(variable, text, expected):
    with pytest.raises(SettingsError) as refusal:
        read_settings({variable: text})
    assert str(refusal.value) == f"{variable}: Expected {expected}."


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:1/0", "redis://:p%40%2F%3A%23%20w@host:1/0"),
        ("redis://user@host", "redis://user:p%40%2F%3A%23%20w@host"),
        ("rediss://user:old@host/1?db=2", "rediss://user:p%40%2F%3A%23%20w@host/1?db=2"),
        ("unix:///run/redis.sock?db=1", "unix://:p%40%2F%3A%23%20w@/run/redis.sock?db=1"),
    ],
)
def test_the_password_may_be_in_a_file_and_have_any_characters(tmp_path, url, expected):
    (tmp_path / "secret").write_text("p@/:# w\n")
    variables = {"SHOAL_REDIS_URL": url, "SHOAL_REDIS_PASSWORD_FILE": str(tmp_path / "secret")}
    settings = read_settings(variables)
    assert settings.redis_url == expected
    assert read_settings(make_environment(settings)) == settings


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "cannot be read"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8")],
)
def test_a_file_without_a_password_is_refused(tmp_path, content, fault):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    variables = {"SHOAL_REDIS_PASSWORD_FILE": str(tmp_path / "secret")}
    with pytest.raises(SettingsError, match=f"^SHOAL_REDIS_PASSWORD_FILE: .*secret .*{fault}"):
        read_settings({"SHOAL_REDIS_URL": "redis://host", **variables})
    with pytest.raises(SettingsError, match="without SHOAL_REDIS_URL"):
        read_settings(variables)


def test_settings_that_are_shown_have_no_secrets():
    settings = Settings(redis_url="redis://:secret@host", web_token="a-secret-of-the-page")
    assert "secret" not in repr(settings)
    assert "lease_seconds" in repr(settings)


def test_every_setting_says_what_it_means():
    assert all(field.metadata["meaning"].endswith(".") for field in fields(Settings))


@pytest.mark.parametrize("text", [":", "::", " "])
def test_roots_that_name_no_directory_do_not_mean_anywhere(text):
    with pytest.raises(SettingsError, match=r"^SHOAL_IMAGE_ROOTS: no directory"):
        read_settings({"SHOAL_IMAGE_ROOTS": text})


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("lease_seconds", ["2.9", "86401"]),
        ("sweep_seconds", ["0.4", "3601"]),
        ("image_seconds", ["0.01", "86401"]),
        ("features_seconds", ["0.5", "1e12"]),
        ("results_seconds", ["0.5", "1e12"]),
    ],
)
def test_seconds_have_bounds_for_an_operator_and_none_in_python(name, texts):
    for text in [*texts, "1e-9", "inf", "-inf", "nan", "1e400"]:
        with pytest.raises(SettingsError, match=f"SHOAL_{name.upper()}: "):
            read_settings({f"SHOAL_{name.upper()}": text})
    brief: dict[str, Any] = {name: 1e-9}
    assert getattr(Settings(**brief), name) == 1e-9


def test_another_process_reads_the_same_settings():
    settings = Settings(
        home=Path("/my home"), image_roots=(Path("/a"), Path("/b")), fit_memory=5, lease_seconds=4.5
    )
    assert read_settings(make_environment(settings)) == settings
    assert read_settings(make_environment(Settings())) == Settings()


variables = st.sampled_from([f"SHOAL_{field.name.upper()}" for field in fields(Settings)])


@given(st.dictionaries(variables, st.text(max_size=50), max_size=3))
@example({"SHOAL_REDIS_URL": " "})
def test_any_text_is_a_setting_or_an_error_that_names_its_variable(environment):
    try:
        settings = read_settings(environment)
    except SettingsError as error:
        assert str(error).startswith("SHOAL_")  # noqa: PT017  most are settings
    else:
        assert read_settings(make_environment(settings)) == settings


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SHOAL_FIT_MEMORY", "9" * 5000),
        ("SHOAL_IMAGE_ROOTS", "\0"),
        ("SHOAL_HOME", "~nobody-of-this-name/shoal"),
    ],
)
def test_what_python_cannot_read_is_an_error_of_ours(variable, text):
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        read_settings({variable: text})
