"""The Flask app of the pretend provider, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Flask, Response, g, jsonify, request

from providers.rehearsal.server.config import Config
from providers.rehearsal.server.control import control_routes
from providers.rehearsal.server.faults import Faults, FaultyApp
from providers.rehearsal.server.oauth import issuer, oauth
from providers.rehearsal.server.pages import plain_page
from providers.rehearsal.server.resources import resources
from providers.rehearsal.server.state import Refused, State

_ENDPOINTS = ("authorize", "token", "revoke", "introspect", "userinfo", "me", "contacts", "jwks")


def create_app(config: Config | None = None) -> Flask:
    """A pretend provider as a WSGI app; its state hangs on `app.extensions["rehearsal"]`."""
    config = config or Config()
    state, faults = State(config), Faults(config.faults)
    app = Flask("providers.rehearsal.server")
    app.extensions["rehearsal"] = state
    app.register_blueprint(oauth)
    app.register_blueprint(resources)
    if config.control:
        app.register_blueprint(control_routes(faults))
    _errors_and_log(app, state)
    app.wsgi_app = FaultyApp(app.wsgi_app, faults, endpoint_of, config.sleep, _serving(state))  # type: ignore[method-assign]  # Flask's own way to put middleware in
    return app


def endpoint_of(path: str) -> str:
    """The name of the endpoint at a path, as fault rules and the log call it; "" for the rest."""
    if path.startswith("/.well-known/"):
        return "discovery"
    name = path.strip("/")
    return name if name in _ENDPOINTS else ""


def _serving(state: State) -> Callable[[str, Mapping[str, str]], Callable[[], None]]:
    """Tells the oracle how many refreshes of one grant are under way at once."""

    def serving(endpoint: str, form: Mapping[str, str]) -> Callable[[], None]:
        held = state.refresh.get(form.get("refresh_token", "")) if endpoint == "token" else None
        if held is None:
            return lambda: None
        grant = held.grant.id
        state.oracle.enter(grant)
        return lambda: state.oracle.leave(grant)

    return serving


def _errors_and_log(app: Flask, state: State) -> None:
    @app.before_request
    def begin() -> None:
        g.about = {}

    @app.after_request
    def log(response: Response) -> Response:
        endpoint = endpoint_of(request.path)
        if endpoint not in ("", "discovery", "jwks"):
            state.oracle.request(endpoint, request.method, response.status_code, **g.about)
        return response

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        response = jsonify(error=error.error, error_description=error.description)
        response.status_code = error.status
        if error.status == HTTPStatus.UNAUTHORIZED:
            scheme = "Basic" if error.error == "invalid_client" else "Bearer"
            response.headers["WWW-Authenticate"] = f'{scheme} realm="rehearsal", error="{error.error}"'
        return response

    @app.get("/")
    def front() -> str:
        return plain_page(
            "Rehearsal, a pretend provider",
            f"Issuer {issuer()}. It signs in pretend people for development; nothing here is real.",
        )
