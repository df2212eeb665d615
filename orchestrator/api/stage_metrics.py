"""The stages of all processes in Prometheus' words: `avtale_stage_seconds`, a histogram.

Workers have no port of their own; each tells its sums with its heartbeat, and every API process
shows them under the worker's name, beside its own under `api`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric

from orchestrator import stages

OWN = "api"


class StageMetrics:
    """A collector: `workers` holds what the living workers told last, by name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.workers: Mapping[str, Any] = {}
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry, at each scrape."""
        family = HistogramMetricFamily(
            "avtale_stage_seconds",
            "Seconds a message in each stage of its way, since the process started.",
            labels=("process", "stage"),
        )
        told = {worker: stages.heard(each) for worker, each in self.workers.items()}
        for process, kept in {OWN: stages.found(), **told}.items():
            for name, stage in kept.items():
                buckets = list(stage.cumulative())
                family.add_metric((process, name), buckets, sum_value=stage.seconds)
        yield family
