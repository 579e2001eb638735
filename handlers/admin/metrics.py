"""GET /metrics, for local clients and those with the admin token."""

from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST

from gateway.admin.live.elsewhere import metrics_of_all
from handlers.admin.base import AdminHandler


class MetricsHandler(AdminHandler):
    is_open_to_local: ClassVar[bool] = True

    def get(self) -> None:
        self.set_header("content-type", CONTENT_TYPE_LATEST)
        self.finish(self.gateway.metrics.text())


class SummedMetricsHandler(AdminHandler):
    """GET /metrics/members: the sums of all members' series."""

    is_open_to_local: ClassVar[bool] = True

    async def get(self) -> None:
        self.set_header("content-type", CONTENT_TYPE_LATEST)
        self.finish(await metrics_of_all(self.gateway))
