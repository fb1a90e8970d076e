"""The HTTP door: browser pages, OAuth endpoints, the JSON API, signals from providers, health.

Owns how requests are read and answers are shaped, headers, limits on rates and sizes, and the description of every
route. Decides nothing: views call flows, or rooms for plain reads, and hold no SQL. Nobody below imports from here.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

from connector.flows.gateway import Gateway
from connector.http import context, errors, headers, limits, tracing
from connector.http.blueprints import BLUEPRINTS
from connector.http.handout import Handouts
from connector.http.proxies import TrustedProxies
from connector.http.request import StrictRequest, refuse_nul

__all__ = ["create_app"]


class _App(Flask):
    request_class = StrictRequest


def create_app(gateway: Gateway) -> Flask:
    """The WSGI application over a built gateway. Any number of threads may use it."""
    settings = gateway.settings
    app = _App("connector.http", template_folder="pages/templates", static_folder="pages/static")
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.extensions[context.EXTENSION] = gateway
    app.extensions[limits.EXTENSION] = limits.Limits(settings.redis.url, gateway.clock)
    app.jinja_env.globals["development"] = settings.is_development
    tracing.install(app)
    app.before_request(refuse_nul)
    front: Any = Handouts(gateway, app.wsgi_app)
    app.wsgi_app = front  # type: ignore[method-assign]  # Flask's own documented place for WSGI layers
    headers.install(app, production=not settings.is_development)
    errors.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    outer: Any = TrustedProxies(app.wsgi_app, settings.server.trusted_proxies)
    app.wsgi_app = outer  # type: ignore[method-assign]  # Flask's own documented place for WSGI layers
    return app
