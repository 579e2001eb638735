"""Whether somebody outside is let in whom only a sign-on proxy may name."""

from secrets import token_hex

from gateway.doctor import client
from gateway.doctor.client import Visit
from gateway.doctor.findings import Finding, fail, ok

# Those that the shipped proxy files clear.
_SHIPPED_NAMES = ("x-sso-user", "remote-user")


async def sign_on(visit: Visit) -> list[Finding]:
    """Name a user who is none: where that counts, the answer has the name."""
    name = f"doctor-{token_hex(8)}"
    headers = dict.fromkeys((*_SHIPPED_NAMES, visit.user_header or "x-sso-user"), name)
    headers["x-gateway-visit"] = visit.key or ""  # it leaves no row
    answer = await client.request(visit, "GET", "/dashboard/", headers=headers)
    if name.encode() in answer.body:
        shown = visit.user_header or "its user header"
        return [
            fail(
                "sign-on",
                f"the proxy passes on what a client sends as {shown}: the dashboard "
                "lets anybody in, under any name",
                f"proxy_set_header {shown} $user_that_signed_in;",
            )
        ]
    if not visit.user_header:
        return []
    return [ok("sign-on", f"who sends {visit.user_header} is nobody by it")]
