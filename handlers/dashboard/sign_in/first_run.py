"""/dashboard/first-run: from a link to a working turn, a step after the other."""

from dataclasses import dataclass

from gateway.doctor.examination import Examination
from gateway.settings import COMMAND
from gateway.sign_in.users import Role
from handlers.dashboard.base import HOME
from handlers.dashboard.formats import plural
from handlers.dashboard.page_errors import SignInNeeded
from handlers.dashboard.sign_in.signing_in import FIRST_RUN, EntryPage


@dataclass(frozen=True, slots=True)
class SetUpStep:
    """One of them; `done` says how it is, "" while it is to be done."""

    name: str
    why: str
    url: str
    done: str = ""


class FirstRunPage(EntryPage):
    """Where the first link comes from; then what there is, and what comes next."""

    def get(self) -> None:
        if not self.gateway.sign_in.is_set_up:
            self.show_plain("sign_in/not_set_up.html", program=COMMAND)
            return
        if self.session is None:
            raise SignInNeeded
        if self.user is None or self.user.role is not Role.OWNER:
            self.go(HOME)
            return
        steps = self._steps(has_totp=self.user.has_totp)
        following = next((step for step in steps[1:] if not step.done), None)
        self.show_plain("sign_in/first_run.html", steps=steps, following=following)

    def _steps(self, *, has_totp: bool) -> list[SetUpStep]:
        accounts, keys = len(self.gateway.pool.accounts), len(self.gateway.ring)
        examined = self.gateway.background.of(Examination)
        return [
            SetUpStep("You", "An owner, with a password.", "", "set"),
            SetUpStep(
                "Authenticator",
                "Codes beside the password. It may wait.",
                f"{FIRST_RUN}/authenticator",
                "on" if has_totp else "",
            ),
            SetUpStep(
                "Account",
                "What the gateway's requests are made with.",
                f"/dashboard/add-account?next={FIRST_RUN}",
                f"{accounts} there" if accounts else "",
            ),
            SetUpStep(
                "API key",
                "What Codex and other clients sign in with here.",
                f"/dashboard/keys/new?next={FIRST_RUN}",
                f"{keys} made" if keys else "",
            ),
            SetUpStep(
                "Doctor",
                "Looks at all of it, and says what is not as it should be.",
                f"/dashboard/doctor?next={FIRST_RUN}",
                plural(len(examined[-1].findings), "finding") if examined else "",
            ),
        ]
