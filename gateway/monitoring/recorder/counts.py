"""What monitoring is told of the loop."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.monitoring.recorder.block import Cause

LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class LoopCounts:
    """Its series, in the registry of all."""

    def __init__(self, registry: CollectorRegistry, namespace: str) -> None:
        self._lag = Histogram(
            "loop_lag_seconds",
            "How late the event loop was at worst, of each half second.",
            namespace=namespace,
            registry=registry,
            buckets=LAG_BUCKETS,
        )
        self._blocked = Counter(
            "loop_blocked",
            "Blocks of the event loop of more than a tenth of a second.",
            ("cause",),
            namespace=namespace,
            registry=registry,
        )
        self._recordings = Counter(
            "recordings",
            "Recordings of a blocked loop, written or failed.",
            ("outcome",),
            namespace=namespace,
            registry=registry,
        )
        # There from the start: a series that begins at 1 is no increase.
        for cause in Cause:
            self._blocked.labels(cause)
        for outcome in ("written", "failed"):
            self._recordings.labels(outcome)

    def lag(self, seconds: float) -> None:
        self._lag.observe(max(0.0, seconds))

    def block(self, cause: Cause) -> None:
        self._blocked.labels(cause).inc()

    def recording(self, *, written: bool) -> None:
        self._recordings.labels("written" if written else "failed").inc()
