"""Settings are found, overridden, checked as a whole, and refused with a way out."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from connector.model.errors import Misconfigured
from connector.settings import development, find, load
from connector.settings.load import build, merged, read
from connector.settings.shipped import shipped

DEVELOPMENT = '[server]\nmode = "development"\n[vault]\nkek = "env:KEK"\n'
PRODUCTION = merged(
    read(shipped("defaults", "development.toml")), {"server": {"public_url": "https://connect.example"}}
)


@pytest.fixture
def load_here(tmp_path):
    def load_it(text: str | None = DEVELOPMENT, config: str | None = None, **environ: str):
        if text is not None:
            (tmp_path / "connector.toml").write_text(text)
        return load(Path(config) if config else None, environ={"KEK": "set", **environ}, directory=tmp_path)

    return load_it


def refused(call, *args, **kwargs) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        call(*args, **kwargs)
    return caught.value


def test_the_file_in_the_working_directory_is_found(load_here):
    assert load_here().is_development


def test_config_beats_the_variable_and_the_variable_beats_the_working_directory(tmp_path):
    for name in ("connector.toml", "variable.toml", "named.toml"):
        (tmp_path / name).touch()
    environ = {"CONNECTOR_CONFIG": "variable.toml"}
    assert find(Path("named.toml"), environ=environ, directory=tmp_path) == tmp_path / "named.toml"
    assert find(environ=environ, directory=tmp_path) == tmp_path / "variable.toml"
    assert find(environ={}, directory=tmp_path) == tmp_path / "connector.toml"


@pytest.mark.parametrize("environ", [{}, {"CONNECTOR_CONFIG": "gone.toml"}], ids=["option", "variable"])
def test_a_named_file_that_is_not_there_stops_the_start(tmp_path, environ):
    error = refused(find, None if environ else Path("gone.toml"), environ=environ, directory=tmp_path)
    assert error.code == "settings_file_missing"
    assert "connector init" in error.hint


def test_no_settings_at_all_say_how_to_begin(load_here):
    assert "connector init" in refused(load_here, None).hint


def test_a_broken_file_names_the_place(load_here):
    error = refused(load_here, "[server\n")
    assert error.code == "settings_file_broken"
    assert "line 1" in error.hint


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "connector.toml").write_bytes(b"\xff\xfe")
    assert refused(load, environ={}, directory=tmp_path).code == "settings_file_unreadable"


def test_the_environment_overrides_the_file_and_leaves_its_neighbours(load_here):
    settings = load_here(
        DEVELOPMENT + '[log]\nlevel = "debug"\n',
        CONNECTOR_LOG__FORMAT="text",
        CONNECTOR_EGRESS__DEADLINE_S="5",
        CONNECTOR_POLICY__CONTROLLER__NAME="Someone",
        CONNECTOR_PROVIDERS__FACEBOOK__GRAPH_VERSION="v26.0",
        CONNECTOR_SERVER__TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.1",
    )
    assert (settings.log.level, settings.log.format) == ("debug", "text")
    assert settings.egress.deadline_s == 5
    assert settings.policy.controller.name == "Someone"
    assert settings.providers.facebook.graph_version == "v26.0"
    assert settings.server.trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32")


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ('[server]\nmode = "development"\npublic_ur = "x"', "server.public_url"),
        ('[servre]\nmode = "development"', "did you mean server?"),
        ('[server]\nmode = "development"\nkek = "env:KEK"', "vault.kek"),
        ('[server]\nmode = "development"\n[providers.facebook]\ngraph_versoin = "v25.0"', "graph_version"),
        ('[server]\nmode = "development"\n[policy.retention]\nprofle = "7d"', "policy.retention.profile"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_name(load_here, text, near):
    error = refused(load_here, text)
    assert error.code in {"unknown_setting", "missing_setting"}
    assert near in error.hint


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("CONNECTOR_SERVER__MODES", "server.mode"),
        ("CONNECTOR_SERVER_MODE", "CONNECTOR_SERVER__MODE"),
        ("CONNECTOR_NOTHING__LIKE_IT_AT_ALL", "docs/settings.md"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_name(load_here, variable, near):
    error = refused(load_here, **{variable: "x"})
    assert error.code == "unknown_setting"
    assert near in error.hint


def test_variables_of_the_platform_are_not_ours(load_here):
    assert load_here(CONNECTOR_PORT="tcp://10.0.0.1:80", CONNECTOR_SERVICE_HOST="10.0.0.1").is_development


def test_a_secret_comes_from_a_file(load_here, tmp_path):
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://app:hunter2@db/connector\n")
    settings = load_here(CONNECTOR_DATABASE__URL_FILE=str(secret))
    assert settings.database.url.endswith("@db/connector")
    assert "hunter2" not in repr(settings)


def test_a_secret_file_that_others_may_write_is_refused(load_here, tmp_path):
    secret = tmp_path / "url"
    secret.write_text("sqlite:///x.db")
    secret.chmod(0o666)
    error = refused(load_here, CONNECTOR_DATABASE__URL_FILE=str(secret))
    assert (error.code, f"chmod go-w {secret}" in error.hint) == ("loose_permissions", True)


@pytest.mark.parametrize(("content", "code"), [(None, "unreadable"), ("", "empty"), (b"\xff", "unreadable")])
def test_a_secret_file_must_hold_something(load_here, tmp_path, content, code):
    secret = tmp_path / "url"
    if content is not None:
        secret.write_bytes(content.encode() if isinstance(content, str) else content)
    assert refused(load_here, CONNECTOR_DATABASE__URL_FILE=str(secret)).code == f"secret_file_{code}"


def test_only_secrets_come_from_files(load_here):
    assert "CONNECTOR_LOG__LEVEL itself" in refused(load_here, CONNECTOR_LOG__LEVEL_FILE="x").hint


def test_a_secret_set_twice_is_refused(load_here, tmp_path):
    secret = tmp_path / "url"
    secret.write_text("sqlite:///x.db")
    error = refused(load_here, CONNECTOR_DATABASE__URL="sqlite:///y.db", CONNECTOR_DATABASE__URL_FILE=str(secret))
    assert "set twice" in error.hint


def test_a_bad_value_is_told_without_showing_it(load_here):
    error = refused(load_here, CONNECTOR_DATABASE__URL="mysql://app:hunter2@db/x", CONNECTOR_REDIS__URL="hunter2")
    assert "hunter2" not in str(error) + error.detail
    assert "database.url" in error.hint
    assert "redis.url" in error.hint
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONNECTOR_SERVER__MODE", "prod"),
        ("CONNECTOR_SERVER__PUBLIC_URL", "connect.example"),
        ("CONNECTOR_SERVER__PUBLIC_URL", "https://connect.example/path"),
        ("CONNECTOR_SERVER__PUBLIC_URL", "https://user@connect.example"),
        ("CONNECTOR_SERVER__PUBLIC_URL", "https://connect.example:port"),
        ("CONNECTOR_SERVER__BIND", "8080"),
        ("CONNECTOR_SERVER__BIND", "0.0.0.0:99999"),
        ("CONNECTOR_SERVER__TRUSTED_PROXIES", "10.0.0.0/33"),
        ("CONNECTOR_REDIS__URL", "http://x"),
        ("CONNECTOR_VAULT__KEK", "keys/kek.json"),
        ("CONNECTOR_POLICY__AGGREGATE_THRESHOLD", "1"),
        ("CONNECTOR_POLICY__EXPORT_WINDOW", "7"),
        ("CONNECTOR_POLICY__CONTROLLER__NAME", "  "),
        ("CONNECTOR_EGRESS__DEADLINE_S", "0"),
        ("CONNECTOR_EGRESS__MAX_BYTES", "-1"),
        ("CONNECTOR_LOG__LEVEL", "loud"),
        ("CONNECTOR_PROVIDERS__FACEBOOK__GRAPH_VERSION", "25"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(load_here, variable, value):
    error = refused(load_here, **{variable: value})
    assert error.code == "bad_setting"
    assert variable.removeprefix("CONNECTOR_").replace("__", ".").lower() in error.hint


def test_a_section_that_is_no_table_is_refused(load_here):
    assert refused(load_here, 'server = "x"').code == "bad_setting"


def test_production_asks_for_every_word_that_no_default_can_say():
    error = refused(build, {"server": {"public_url": "https://connect.example"}, "policy": {"controller": {}}})
    assert error.code == "missing_setting"
    for name in ("policy.controller.name", "policy.controller.jurisdiction", "CONNECTOR_POLICY__CONTROLLER__CONTACT"):
        assert name in error.hint
    assert "[policy.retention]" in error.hint
    assert "needs_reauth" in error.hint


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://connect.example", "public_url_insecure"),
        ("https://localhost:8443", "public_url_loopback"),
        ("https://app.localhost", "public_url_loopback"),
        ("https://127.0.0.2", "public_url_loopback"),
        ("https://[::1]:8443", "public_url_loopback"),
    ],
)
def test_production_refuses_what_only_development_may_have(url, code):
    assert refused(build, merged(PRODUCTION, {"server": {"public_url": url}})).code == code


@pytest.mark.parametrize("url", ["http://connect.example", "https://localhost:8443", "http://[::1]:8080"])
def test_development_allows_it(url):
    assert development(server={"public_url": url}).server.public_url == url


def test_production_is_what_silence_means():
    assert build(PRODUCTION).server.mode == "production"


def test_in_development_the_public_url_follows_the_listener():
    assert development(server={"bind": "127.0.0.1:9000"}).server.public_url == "http://127.0.0.1:9000"


def test_the_export_window_is_a_week_unless_told_otherwise():
    assert development().policy.export_window == timedelta(days=7)


def test_paths_lie_beside_the_settings_file_wherever_the_process_starts(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "c.toml").write_text(
        '[server]\nmode="development"\n[policy]\ndirectory="policies"\n[vault]\nkek="file:keys/kek.json"'
    )
    settings = load(Path("etc/c.toml"), environ={}, directory=tmp_path, key_needed=False)
    assert settings.database.url == f"sqlite:///{folder}/connector.db"
    assert settings.vault.kek == f"file:{folder}/keys/kek.json"
    assert settings.policy.directory == folder / "policies"


def test_an_absolute_path_stays_what_it_is(load_here, tmp_path):
    assert load_here(CONNECTOR_DATABASE__URL="sqlite:////srv/c.db").database.url == "sqlite:////srv/c.db"


@pytest.fixture
def with_key_file(tmp_path):
    key = tmp_path / "kek.json"
    key.write_text("{}")
    key.chmod(0o600)
    (tmp_path / "connector.toml").write_text('[server]\nmode="development"\n[vault]\nkek="file:kek.json"')
    return key


def test_a_key_file_of_its_owners_own_is_accepted(with_key_file, tmp_path):
    assert load(environ={}, directory=tmp_path).vault.kek == f"file:{with_key_file}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_file_that_others_may_touch_stops_the_start(with_key_file, tmp_path, mode):
    with_key_file.chmod(mode)
    error = refused(load, environ={}, directory=tmp_path)
    assert (error.code, f"chmod 600 {with_key_file}" in error.hint) == ("loose_permissions", True)


def test_a_key_file_that_is_not_there_stops_the_start(with_key_file, tmp_path):
    with_key_file.unlink()
    error = refused(load, environ={}, directory=tmp_path)
    assert error.code == "key_missing"
    assert "backup" in error.hint


def test_a_key_variable_that_is_not_set_stops_the_start(load_here):
    assert refused(load_here, KEK="").code == "key_missing"


def test_settings_cannot_be_changed_once_read():
    with pytest.raises(ValueError, match="frozen"):
        development().log.level = "debug"


def test_the_real_environment_is_read_by_default(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("CONNECTOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CONNECTOR_SERVER__MODE", "development")
    monkeypatch.chdir(tmp_path)
    assert load(key_needed=False).database.url == f"sqlite:///{tmp_path}/connector.db"
