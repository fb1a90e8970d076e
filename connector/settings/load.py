"""From a settings file and an environment to frozen settings, or a sentence that says how to mend them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connector.model.errors import Misconfigured
from connector.settings.anchors import anchored
from connector.settings.environment import CONFIG, overrides
from connector.settings.models import Settings
from connector.settings.names import KNOWN, section_of, unknown
from connector.settings.rules import check_key, check_production
from connector.settings.shipped import shipped

FILE_NAME = "connector.toml"


def load(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    directory: Path | None = None,
    key_needed: bool = True,
) -> Settings:
    """The settings in effect: the file that `find` names, overridden by the environment, checked as a whole.

    Relative paths in them are made absolute, from the folder of the settings file. `key_needed=False`
    leaves the key unchecked, for the commands that come before there is one.

    Raises:
        Misconfigured: with every problem found, a sentence each.
    """
    here = directory or Path.cwd()
    file = find(config, environ=environ, directory=here)
    written = merged(read(file) if file else {}, overrides(environ))
    if not written:
        raise Misconfigured(
            "settings_file_missing",
            f"There is no {FILE_NAME} in {here}, and {CONFIG} names none; write one with: connector init",
        )
    settings = build(written)
    settings = anchored(settings, file.resolve().parent if file else here)
    if key_needed:
        check_key(settings, environ)
    return settings


def find(config: Path | None = None, *, environ: Mapping[str, str], directory: Path) -> Path | None:
    """The settings file, if there is one.

    It is the one named, else what `CONNECTOR_CONFIG` names, else `connector.toml` in `directory`.

    Raises:
        Misconfigured: a file was named and is not there.
    """
    named = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    if named is None:
        usual = directory / FILE_NAME
        return usual if usual.is_file() else None
    path = directory / named
    if not path.is_file():
        by = "--config" if config else CONFIG
        raise Misconfigured(
            "settings_file_missing",
            f"{by} names {path}, which is no file; mend the name, or write one with: connector init",
        )
    return path


def read(file: Path) -> dict[str, Any]:
    """The settings file as nested maps.

    Raises:
        Misconfigured: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured("settings_file_broken", f"{file} is not TOML: {error}. Mend that place.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "settings_file_unreadable", f"{file} cannot be read as text by this user; mend its permissions."
        ) from error


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both maps as one, section by section; where both speak, `above` holds."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


def build(written: Mapping[str, Any]) -> Settings:
    """Settings from nested maps: development defaults where the mode says so, then every rule.

    Raises:
        Misconfigured: with every problem found.
    """
    server = written.get("server")
    if isinstance(server, Mapping) and server.get("mode") == "development":
        written = _for_development(written, server)
    try:
        settings = Settings.model_validate(written)
    except ValidationError as error:
        raise _sorted_out(error) from None  # the original would carry the values along
    check_production(settings)
    return settings


def development(**sections: Mapping[str, Any]) -> Settings:
    """Settings of development mode from nothing but what is handed in: for the demo, and for tests."""
    return build(merged({"server": {"mode": "development"}}, sections))


def _for_development(written: Mapping[str, Any], server: Mapping[str, Any]) -> dict[str, Any]:
    bind = server.get("bind", "127.0.0.1:8080")
    defaults = merged(read(shipped("defaults", "development.toml")), {"server": {"public_url": f"http://{bind}"}})
    return merged(defaults, written)


def _sorted_out(error: ValidationError) -> Misconfigured:
    """Every problem as a sentence. The code is the first problem's."""
    problems = [_sentence(problem["type"], problem["loc"], problem["msg"]) for problem in _leaves(error)]
    return Misconfigured(problems[0][0], " ".join(sentence for _, sentence in problems))


def _leaves(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False, include_input=False))


def _sentence(kind: str, place: tuple[int | str, ...], message: str) -> tuple[str, str]:
    name = ".".join(str(part) for part in place if not isinstance(part, int))
    if kind == "extra_forbidden":
        return "unknown_setting", unknown(name, name)
    if kind == "missing":
        return "missing_setting", _missing(name)
    known = KNOWN.get(name)
    words = message.removeprefix("Value error, ")
    meaning = f" ({known.field.description})" if known else ""
    return "bad_setting", f"{name} cannot be used{meaning}: {words[:1].lower()}{words[1:]}."


def _missing(name: str) -> str:
    known = KNOWN.get(name)
    if known:
        section = name.rpartition(".")[0]
        return f"{name} is missing: {known.field.description} Set it under [{section}], or by {known.variable}."
    entry, _, key = name.rpartition(".")
    if entry in KNOWN:
        return f"An entry of [[{entry}]] lacks {key}; write it there."
    model = section_of(name)
    keys = ", ".join(key for key, field in model.model_fields.items() if field.is_required()) if model else ""
    return f"The section [{name}] is missing; it must say: {keys}."
