"""/dashboard/doctor: the doctor's checks, in the background, findings as they come."""

from typing import ClassVar
from urllib.parse import quote

from gateway.doctor.client import SILENCE
from gateway.doctor.examination import Examination
from gateway.doctor.findings import Finding, Level
from gateway.sign_in.users import Role
from handlers.dashboard.base import PageHandler
from handlers.dashboard.forms import SentForm, own_page
from handlers.wire.request_head import own_url

DOCTOR = "/dashboard/doctor"
# Each level's word and the level of its badge; what fails comes first.
LEVELS = {
    Level.FAIL: ("fails", "bad"),
    Level.WARN: ("to look at", "warn"),
    Level.OK: ("well", "good"),
}


class DoctorScreen(PageHandler):
    least_role: ClassVar = {"get": Role.OPERATOR, "post": Role.OPERATOR}

    async def get(self) -> None:
        held = self.gateway.background.of(Examination)
        latest = held[-1] if held else None
        self.show_plain(
            "doctor_findings.html" if self.is_partial else "doctor.html",
            examination=latest,
            findings=_in_order(latest),
            levels=LEVELS,
            next=own_page(self.get_query_argument("next", "")),
            silence=SILENCE,
        )

    async def submit(self, form: SentForm) -> None:
        """Begin one, or end the one that runs."""
        background = self.gateway.background
        if form.get("do") == "cancel":
            for one in background.of(Examination):
                await one.cancel()
        else:
            is_quick = "silence" not in form
            background.start(
                Examination(self.gateway, own_url(self.request), is_quick=is_quick)
            )
        leads_to = own_page(form.get("next", ""))
        self.go(DOCTOR + (f"?next={quote(leads_to, safe='')}" if leads_to else ""))


def _in_order(examination: Examination | None) -> list[Finding]:
    """As they came; once all are there, what fails first."""
    if examination is None:
        return []
    if examination.is_running:
        return list(examination.findings)
    ranks = list(LEVELS)
    return sorted(examination.findings, key=lambda one: ranks.index(one.level))
