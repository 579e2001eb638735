"""LoopMetrics: lag and blocks of the event loop, and recordings of them."""

from collections import deque
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.monitoring.recorder.block import BlockCause

LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class LoopMetrics:
    """Their series, in the registry of all."""

    def __init__(self, registry: CollectorRegistry, namespace: str) -> None:
        self._lag = Histogram(
            "loop_lag_seconds",
            "How late the event loop was at worst, of each half second.",
            namespace=namespace,
            registry=registry,
            buckets=LAG_BUCKETS,
        )
        self._latest = deque[float](maxlen=120)  # a minute of half seconds
        counter = partial(Counter, namespace=namespace, registry=registry)
        self._blocked = counter(
            "loop_blocked",
            "Blocks of the event loop of more than a tenth of a second.",
            ("cause",),
        )
        self._recordings = counter(
            "recordings",
            "Recordings of a blocked loop, written or failed.",
            ("outcome",),
        )
        # There from the start: a series that begins at 1 is no increase.
        for cause in BlockCause:
            self._blocked.labels(cause)
        for outcome in ("written", "failed"):
            self._recordings.labels(outcome)

    def observe_lag(self, seconds: float) -> None:
        self._lag.observe(max(0.0, seconds))
        self._latest.append(max(0.0, seconds))

    @property
    def worst_lag(self) -> float:
        """Seconds, of the last minute."""
        return max(self._latest, default=0.0)

    def count_block(self, cause: BlockCause) -> None:
        self._blocked.labels(cause).inc()

    def count_recording(self, *, written: bool) -> None:
        self._recordings.labels("written" if written else "failed").inc()
