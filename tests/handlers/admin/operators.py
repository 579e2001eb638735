"""An operator with the admin token."""

from gateway.process.admin_token import admin_token


class Operator:
    """A client with the admin token."""

    def __init__(self, serving):
        self.serving = serving
        self.token = admin_token(serving.settings.data_dir).reveal()

    async def call(self, method, path, body=None, **headers):
        given = {"authorization": f"Bearer {self.token}", **headers}
        return await self.serving.ask(path, body, method=method, headers=given)

    async def get(self, path):
        answered = await self.call("GET", path)
        assert answered.status == 200, answered.body
        return answered.json

    async def post(self, path, body=None):
        return await self.call("POST", path, body or {})

    async def patch(self, path, body):
        return await self.call("PATCH", path, body)


async def audit(serving):
    """(actor, action, target) of every change, oldest first, without the fixture's."""
    from gateway.store.models import AuditLog

    rows = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    return [(r.actor, r.action, r.target) for r in rows if r.actor != "test"]
