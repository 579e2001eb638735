"""GET /health, /health/live, /health/ready."""

from collections.abc import Mapping

from gateway.admin.live.warnings import warnings_of
from gateway.admission.client_address import is_local
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
                "checks": self._shown(checks),
                "warnings": self._shown(warnings_of(self.gateway)),
            },
            200 if ready else 503,
        )

    def _shown(self, told: Mapping[str, str]) -> Mapping[str, str]:
        """Strangers learn what fails, and no name of a file or a server."""
        if is_local(self.facts):
            return told
        return {subject: words.partition(": ")[0] for subject, words in told.items()}
