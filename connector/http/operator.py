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
from connector.storage import Transaction
from connector.work.depth import depths
from vault.jobs import under_way


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
            rotations = list(_rotations(tx))
        for kind, seconds in sorted(oldest.items()):
            overdue.add_metric([kind], seconds)
        yield from (connections, work, overdue, *rotations)


def _rotations(tx: Transaction) -> Iterator[GaugeMetricFamily]:
    """Of rotations under way: their phase, how many keys are done and left, how many would not open, and the rate."""
    labels = ["kind"]
    phase = GaugeMetricFamily(
        "connector_rotation_phase", "The phase of a rotation that is under way.", labels=[*labels, "phase"]
    )
    done = GaugeMetricFamily("connector_rotation_done", "Keys or indexes that were replaced.", labels=labels)
    left = GaugeMetricFamily("connector_rotation_left", "Keys or indexes that are still to be replaced.", labels=labels)
    failed = GaugeMetricFamily("connector_rotation_failed", "Keys or indexes that cannot be replaced.", labels=labels)
    rate = GaugeMetricFamily("connector_rotation_per_second", "Replaced a second since it began.", labels=labels)
    for job in under_way(tx):
        phase.add_metric([job.kind, job.phase], 1)
        done.add_metric([job.kind], job.done)
        left.add_metric([job.kind], max(0, job.total - job.done))
        failed.add_metric([job.kind], job.failed)
        rate.add_metric([job.kind], job.done / max(0.001, (job.heartbeat_at - job.created_at) / 1000))
    yield from (phase, done, left, failed, rate)


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
