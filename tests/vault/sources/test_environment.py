import base64
import os
from pathlib import Path

import pytest

from vault import EnvironmentKeySource, FileKeySource, KeySourceError, open_source

KEY = base64.b64encode(bytes(range(32))).decode()


def test_the_first_key_of_the_value_wraps() -> None:
    source = EnvironmentKeySource("KEK", {"KEK": f" b:{KEY}, a:{KEY}\n"})
    assert source.key_id() == "local:b"
    assert source.key_ids() == {"local:a", "local:b"}


def test_the_value_may_stand_in_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.touch(mode=0o600)
    path.write_text(f"1:{KEY}\n")
    assert EnvironmentKeySource("KEK", {"KEK_FILE": str(path)}).key_id() == "local:1"
    path.chmod(0o644)
    with pytest.raises(KeySourceError, match="chmod 600"):
        EnvironmentKeySource("KEK", {"KEK_FILE": str(path)})


def test_neither_variable_or_both_are_refused() -> None:
    with pytest.raises(KeySourceError, match="Set KEK"):
        EnvironmentKeySource("KEK", {})
    with pytest.raises(KeySourceError, match="Set KEK"):
        EnvironmentKeySource("KEK", {"KEK": ""})
    with pytest.raises(KeySourceError, match="Keep one"):
        EnvironmentKeySource("KEK", {"KEK": f"1:{KEY}", "KEK_FILE": "/x"})


@pytest.mark.parametrize(
    "value", [KEY, f"1:{KEY[:-4]}", "1:", f":{KEY}", f"1:{KEY},", f"1:{KEY},1:{KEY}", "1:é", f"a b:{KEY}"]
)
def test_a_malformed_value_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(KeySourceError) as caught:
        EnvironmentKeySource("KEK", {"KEK": value})
    assert KEY[:-4] not in str(caught.value)


def test_a_new_value_is_made_on_request_and_is_each_time_another() -> None:
    values = {EnvironmentKeySource.create_value() for _ in range(20)}
    assert len(values) == 20
    assert EnvironmentKeySource("KEK", {"KEK": values.pop()}).key_id() == "local:1"


def test_a_setting_names_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = FileKeySource.create(tmp_path / "kek.json")
    assert open_source("file:kek.json", base=tmp_path).check_value() == made.check_value()
    assert open_source(f"file:{tmp_path}/kek.json").check_value() == made.check_value()
    assert open_source("env:KEK", environment={"KEK": f"1:{KEY}"}).key_id() == "local:1"
    monkeypatch.setitem(os.environ, "GATEWAY_TEST_KEK", f"7:{KEY}")
    assert open_source("env:GATEWAY_TEST_KEK").key_id() == "local:7"


@pytest.mark.parametrize("spec", ["", "file:", "env:", "kek.json", "plain:abc", f"1:{KEY}"])
def test_a_setting_that_names_no_source_is_refused_without_showing_it(spec: str) -> None:
    with pytest.raises(KeySourceError, match="file:PATH") as caught:
        open_source(spec)
    assert KEY not in str(caught.value)
