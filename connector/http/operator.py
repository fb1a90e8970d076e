"""The operator's own listener, on `server.admin_bind`: metrics for Prometheus. Never on the public address.

What processes count is theirs (summed over all listeners where PROMETHEUS_MULTIPROC_DIR is set); what the database
knows is read from it at each scrape.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connector.connections.counting import count_by_state
from connector.flows.gateway import Gateway
from connector.http import headers
from connector.http.operations import operation
from connector.model.errors import ConnectorError
from connector.work.depth import depths


class FromDatabase(Collector):
    """Connections by state and work by state, read at each scrape. `connector_database_up` is 0 where that fails."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of this moment."""
        up = GaugeMetricFamily("connector_database_up", "Whether the database answers.")
        try:
            found = list(self._read())
        except ConnectorError:
            up.add_metric([], 0)  # the scrape itself must not fail: that it is down is the news
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found

    def _read(self) -> Iterator[GaugeMetricFamily]:
        connections = GaugeMetricFamily(
            "connector_connections", "Connections by provider and state.", labels=["provider", "state"]
        )
        work = GaugeMetricFamily("connector_work", "Outward work by kind and state.", labels=["kind", "state"])
        overdue = GaugeMetricFamily("connector_work_overdue_seconds", "Age of the oldest work due.", labels=["kind"])
        with self._gateway.store.read() as tx:
            for provider, state, many in count_by_state(tx):
                connections.add_metric([provider, state], many)
            oldest: dict[str, float] = {}
            for depth in depths(tx):
                work.add_metric([depth.table, depth.state], depth.many)
                oldest[depth.table] = max(oldest.get(depth.table, 0.0), depth.overdue_s)
        for kind, seconds in sorted(oldest.items()):
            overdue.add_metric([kind], seconds)
        yield from (connections, work, overdue)


def create_operator_app(gateway: Gateway) -> Flask:
    """The WSGI application for `server.admin_bind`."""
    app = Flask("connector.http.operator", static_folder=None)
    headers.install(app, production=False)
    from_database = CollectorRegistry()
    from_database.register(FromDatabase(gateway))

    @app.get("/metrics")
    @operation("Metrics for Prometheus", "Operator", answer_type=CONTENT_TYPE_LATEST)
    def metrics() -> Response:
        """Counters of this process, or of all listeners, and gauges from the database."""
        text = generate_latest(_counted()) + generate_latest(from_database)
        return Response(text, content_type=CONTENT_TYPE_LATEST)

    return app


def _counted() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves its constructor untyped
    return registry
