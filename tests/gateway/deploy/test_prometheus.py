"""The rules and the board, as promtool and a real Prometheus take them."""

import asyncio
import json
import re
import shutil
import subprocess
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.catalogue import default_models
from gateway.process.admin_token import admin_token
from tests.e2e.gateway_process import ROOT, free_port
from tests.serving import V1, payload

DEPLOY = ROOT / "gateway" / "deploy"
RULES = DEPLOY / "prometheus-rules.yaml"
TRIED = ROOT / "tests" / "gateway" / "deploy" / "prometheus_rules_test.yaml"
PRICED, UNPRICED = "gpt-5.4-mini", "of-tomorrow"
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus is not installed",
)
pytestmark = [pytest.mark.operator, needs_prometheus]


def test_alerts_come_when_they_should_and_not_else(tmp_path):
    for file in (RULES, TRIED):
        shutil.copy(file, tmp_path)
    done = subprocess.run(
        ["promtool", "test", "rules", TRIED.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_both_ways():
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tried = re.findall(r"alertname: (\w+)", TRIED.read_text())
    assert alerts
    assert {name for name in alerts if tried.count(name) < 2} == set()


class Prometheus:
    """A server with the configuration that docs/operating.md shows."""

    def __init__(self, folder, target, token):
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        shown = (ROOT / "docs" / "operating.md").read_text()
        config = re.search(r"```yaml\n(rule_files.*?)```", shown, re.DOTALL)[1]
        (folder / "token").write_text(token)
        config = config.replace("127.0.0.1:2455", target)
        config = re.sub(r"/etc/\S+", str(folder / "token"), config)
        often = "global: {scrape_interval: 500ms, evaluation_interval: 500ms}\n"
        (folder / "prometheus.yml").write_text(often + config)
        shutil.copy(RULES, folder)

    @asynccontextmanager
    async def running(self):
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--log.level=error",
        )
        try:
            async with aiohttp.ClientSession(self.url) as self.session:
                yield self
        finally:
            process.terminate()
            await process.wait()

    async def get(self, path, **params):
        """What the API answers; nothing while it starts."""
        try:
            async with self.session.get(path, params=params) as response:
                told = await response.json() if response.status != 503 else {}
        except aiohttp.ClientConnectionError:
            return []
        assert told.get("status", "success") == "success", told
        return told.get("data", [])

    async def answers(self, expr):
        """Whether a query has samples, all of them numbers."""
        data = await self.get("/api/v1/query", query=expr)
        samples = data["result"] if data else []
        return bool(samples) and all(one["value"][1] != "NaN" for one in samples)


def queries_of_board():
    """Every query of a panel, with Grafana's variables filled in."""
    board = json.loads((DEPLOY / "grafana.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"].replace("$__rate_interval", "1m")
            yield expr.replace("$instance", ".*")


async def traffic(serving, upstream):
    """What a week has: turns of keys, failures of all origins, a used-up account."""
    key = await serving.add_key("alice", limits=["tokens 2M/7d", "cost 5/30d"])
    headers = {"x-api-key": key, "session_id": "one-conversation"}

    async def ask(**more):
        return await serving.ask(V1, payload(**more), headers=headers)

    assert (await ask(model=UNPRICED)).status == 200
    assert (await serving.ask(V1)).status == 401
    await ask(input=7)
    upstream.answer(faults.usage_limit(), account="one")
    assert (await ask(model=PRICED)).status == 200
    upstream.answer(faults.server_error(), times=4)
    await ask(model=PRICED)
    return ask


@pytest.mark.gen_test(timeout=60)
@pytest.mark.settings(metrics_keys=True)
async def test_every_query_answers_in_a_real_prometheus(serving, upstream, tmp_path):
    upstream.models.append(default_models()[1] | {"slug": UNPRICED})
    for account in serving.gateway.pool.accounts.values():
        await serving.gateway.catalogues.refresh(account)
    ask = await traffic(serving, upstream)
    token = admin_token(serving.settings.data_dir).reveal()
    target = serving.base_url.removeprefix("http://")
    prometheus = Prometheus(tmp_path, target, token)
    recorded = re.findall(r"record: (\S+)", RULES.read_text())
    left = [*recorded, *queries_of_board()]
    assert len(left) > 40
    async with prometheus.running():
        try:
            async with asyncio.timeout(25):
                while left:
                    for account in upstream.accounts.values():
                        account.secondary_percent += 0.5
                    await ask(model=PRICED)
                    left = [one for one in left if not await prometheus.answers(one)]
                    await asyncio.sleep(0.25)
        except TimeoutError:
            assert left == []
        data = await prometheus.get("/api/v1/rules")
        rules = [rule for group in data["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}
        told = await prometheus.get(
            "/api/v1/label/instance/values", **{"match[]": "codex_gateway_ready"}
        )
        assert told == [target]
