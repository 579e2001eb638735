"""GET /health, /health/live, /health/ready."""

from gateway.monitoring.readiness import readiness
from handlers.bodies import BodilessHandler


class HealthHandler(BodilessHandler):
    """Says that the process runs and its loop turns; needs nothing else."""

    def get(self) -> None:
        self.write_json({"status": "ok"})


class ReadyHandler(HealthHandler):
    """Whether requests can be served; `checks` says why not, `warnings` what else."""

    def get(self) -> None:
        checks = readiness(self.gateway)
        ready = all(value == "ok" for value in checks.values())
        self.write_json(
            {
                "status": "ok" if ready else "unavailable",
                "checks": checks,
                "warnings": self.gateway.warnings(),
            },
            200 if ready else 503,
        )
