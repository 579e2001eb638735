"""A new encryption key, over the admin API."""

import pytest

from gateway.store.models import now_ms
from gateway.store.shared.tables import MemberRow


@pytest.mark.gen_test
async def test_a_key_file_of_one_is_not_changed_under_another_s_feet(serving, operator):
    gateway = serving.gateway
    before = gateway.secrets.file.read_text()
    row = {"place": "elsewhere", "version": "1", "state": "serving"}

    def join(directory):
        return MemberRow.create(directory=directory, started_at=now_ms(), **row)

    await gateway.store.write(join, "another")
    await gateway.membership.look()
    refused = await operator.post("/api/accounts/rotate-key", {})
    assert refused.status == 400
    assert "GATEWAY_ENCRYPTION_KEY" in refused.error["message"]
    assert gateway.secrets.file.read_text() == before
    await gateway.store.write(MemberRow.delete().execute)
    mine = gateway.membership.rows[gateway.membership.id].directory
    await gateway.store.write(join, mine)  # as a worker beside it
    await gateway.membership.look()
    assert (await operator.post("/api/accounts/rotate-key", {})).status == 200
    assert gateway.secrets.file.read_text() != before
