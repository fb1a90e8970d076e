"""The servers that tests stand on are real, alone and reported where they lack."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis
import requests
from pytest_socket import SocketBlockedError, SocketConnectBlockedError

from tests.clock import START, ManualClock
from tests.services.chromium import accessibility_findings

BLOCKED = pytest.mark.filterwarnings("ignore:A test tried to use")  # it is told twice, and once is enough here
ROOT = Path(__file__).resolve().parents[2]


@BLOCKED
def test_a_unit_test_cannot_open_a_socket():
    with pytest.raises(SocketBlockedError):
        requests.get("http://127.0.0.1:9/", timeout=1)


@BLOCKED
@pytest.mark.loopback
def test_a_loopback_test_cannot_leave_this_machine():
    with pytest.raises(SocketConnectBlockedError):
        requests.get("http://192.0.2.1/", timeout=1)


def test_a_served_application_answers_on_loopback(loopback_server):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    base = loopback_server(app)
    assert requests.get(f"{base}/a/path", timeout=5).text == "/a/path"


def test_the_manual_clock_moves_only_when_told():
    clock = ManualClock()
    assert (clock.now(), clock.now()) == (START, START)
    before = clock.monotonic()
    clock.sleep(1.5)
    clock.advance(days=1)
    clock.set_wall(START)
    assert (clock.now(), clock.monotonic() - before, clock.slept) == (START, 86_401.5, [1.5])
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


@pytest.mark.postgresql
def test_postgresql_is_real(postgresql_server):
    with psycopg.connect(host=postgresql_server["socket"], user="tests", dbname="postgres") as connection:
        row = connection.execute("SELECT version()").fetchone()
    assert row[0].startswith("PostgreSQL")


def test_a_store_begins_empty(store):
    with store.transaction() as tx:
        assert tx.one("SELECT count(*) AS n FROM tenants")["n"] == 0
        assert tx.now() == START


@pytest.mark.redis
def test_redis_is_real_and_begins_empty(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("word", "kept")
        assert client.get("word") == b"kept"


@pytest.mark.redis
def test_a_redis_of_ones_own_can_be_lost_and_come_back(own_redis):
    with redis.Redis.from_url(own_redis.url) as client:
        client.ping()
        own_redis.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        own_redis.start()
        assert client.ping()


@pytest.mark.node
def test_the_npm_client_signs_up_at_the_npm_provider(oidc_provider, openid_client):
    client = oidc_provider.register("http://127.0.0.1:9/back")
    app = openid_client(
        issuer=oidc_provider.issuer,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        redirect_uri="http://127.0.0.1:9/back",
        push=True,
        userinfo=True,
    )
    answer = app.redeem(oidc_provider.sign_in(app.authorization_url, "alice"))
    assert answer["claims"]["sub"] == "alice"
    assert answer["userinfo"]["email"] == "alice@people.example"
    assert oidc_provider.introspect(client, answer["tokens"]["refresh_token"])["active"]


@pytest.mark.node
def test_a_person_can_say_no_at_the_npm_provider(oidc_provider, openid_client):
    client = oidc_provider.register("http://127.0.0.1:9/back")
    app = openid_client(
        issuer=oidc_provider.issuer,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        redirect_uri="http://127.0.0.1:9/back",
    )
    back = oidc_provider.sign_in(app.authorization_url, "alice", allow=False)
    assert parse_qs(urlsplit(back).query)["error"] == ["access_denied"]
    assert app.redeem(back)["error"]["oauth"] == "access_denied"


@pytest.mark.browser
def test_chromium_opens_a_page_and_axe_sees_what_is_wrong_with_it(page, axe_source, loopback_server):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Security-Policy", "default-src 'none'")])
        return [b"<!doctype html><html lang=en><title>A page</title><main><h1>Hello</h1><input></main>"]

    page.goto(loopback_server(app))
    assert page.inner_text("h1") == "Hello"
    assert [line.split(" ")[0] for line in accessibility_findings(page, axe_source)] == ["label"]


@pytest.fixture
def run_with_a_gap(tmp_path):
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            import pytest
            from tests.services.gaps import gap

            @pytest.fixture(scope="session")
            def server():
                gap("teapot", "no teapot here; buy one")

            def test_one(server): pass
            def test_two(server): pass
            def test_three(): pytest.skip("because")
        """)
    )

    def run(strict: str, *more: str) -> subprocess.CompletedProcess[str]:
        plugins = ["-p", "tests.services.gaps", *(["-p", "xdist"] if "-n" in more else [])]
        command = [sys.executable, "-m", "pytest", *plugins, "-c", "/dev/null", "--rootdir", "."]
        return subprocess.run(
            [*command, *more, "test_it.py"],
            cwd=tmp_path,
            env={
                "PYTHONPATH": str(ROOT),
                "STRICT": strict,
                "PATH": "/usr/bin:/bin",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # a dozen others take a second to load and change nothing here
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_gap_skips_and_is_listed(run_with_a_gap, more):
    done = run_with_a_gap("", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "teapot (2 tests): no teapot here; buy one" in done.stdout
    assert "test_it.py::test_three (1 test): because" in done.stdout


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_gap_fails_a_strict_run(run_with_a_gap, more):
    done = run_with_a_gap("1", *more)
    assert done.returncode == 1
    assert "teapot (2 tests): no teapot here; buy one" in done.stdout


def test_any_other_skip_fails_a_strict_run_too(run_with_a_gap):
    assert run_with_a_gap("1", "-k", "test_three").returncode == 1
    assert run_with_a_gap("", "-k", "test_three").returncode == 0


def test_the_npm_lock_file_names_every_package_by_hash():
    lock = json.loads((ROOT / "tests/node/package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())


@pytest.mark.browser
def test_axe_looks_at_a_page_whose_scripts_are_off(browser, axe_source, loopback_server):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<html lang=en><title>A</title><main><h1>A</h1><input></main><script>document.title='B'</script>"]

    context = browser.new_context(
        java_script_enabled=False, color_scheme="dark", viewport={"width": 360, "height": 640}
    )
    page = context.new_page()
    page.goto(loopback_server(app))
    findings = accessibility_findings(page, axe_source, scripts=False)
    assert page.title() == "A"
    assert [line.split(" ")[0] for line in findings] == ["label"]
    context.close()


@pytest.mark.node
def test_the_npm_provider_rotates_and_revokes(start_oidc_provider, openid_client):
    provider = start_oidc_provider(accessTokenTtl=2)
    client = provider.register("http://127.0.0.1:9/back")
    app = openid_client(
        issuer=provider.issuer,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        redirect_uri="http://127.0.0.1:9/back",
    )
    tokens = app.redeem(provider.sign_in(app.authorization_url, "bob"))["tokens"]
    basic = (client["client_id"], client["client_secret"])
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    fresh = requests.post(provider.metadata["token_endpoint"], data=form, auth=basic, timeout=10).json()
    assert tokens["expires_in"] == 2
    assert fresh["refresh_token"] != tokens["refresh_token"]
    form = {"token": fresh["refresh_token"]}
    assert requests.post(provider.metadata["revocation_endpoint"], data=form, auth=basic, timeout=10).ok
    assert not provider.introspect(client, fresh["refresh_token"])["active"]
