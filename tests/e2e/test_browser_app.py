"""The openai SDK for JavaScript in a page of another origin, in a real Chromium."""

import asyncio
import json

import pytest
from aiohttp import web

from tests.e2e.conftest import missing
from tests.hostile.browser import Browser, Served, find_chromium
from tests.tools.clients.running import INSTALLED, install
from tests.tools.clients.table import CLIENTS

pytestmark = pytest.mark.clients

PAGE = """<!doctype html><script type="module">
import OpenAI from "/openai/index.mjs";
const told = {};
try {
  const client = new OpenAI({
    baseURL: BASE, apiKey: KEY, dangerouslyAllowBrowser: true, maxRetries: 0,
  });
  const ask = {model: "gpt-5.5", input: "demo:say(hello page)", stream: true};
  const {data: stream, request_id} = await client.responses.create(ask).withResponse();
  told.id = request_id;
  told.text = "";
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") told.text += event.delta;
  }
  told.models = (await client.models.list()).data.length;
  const stranger = new OpenAI({
    baseURL: BASE, apiKey: "wrong", dangerouslyAllowBrowser: true, maxRetries: 0,
  });
  await stranger.models.list().catch((error) => { told.refused = error.code; });
} catch (error) {
  told.error = `${error}`;
}
await fetch("/report", {method: "POST", body: JSON.stringify(told)});
</script>"""


class App(Served):
    """A browser app's own server; it takes the page's report."""

    async def start(self, sdk):
        self.page = ""
        self.report = asyncio.get_running_loop().create_future()
        await self.serve(
            web.get("/", self._page),
            web.post("/report", self._note),
            web.static("/openai", sdk),
        )

    async def _page(self, request):
        return web.Response(text=self.page, content_type="text/html")

    async def _note(self, request):
        self.report.set_result(await request.json())
        return web.Response()


@pytest.mark.gen_test(timeout=400)  # the SDK is installed the first time
async def test_the_sdk_works_in_a_page_of_a_trusted_origin_only(
    start_gateway, tmp_path
):
    (sdk,) = [client for client in CLIENTS if client.name == "openai, Node"]
    binary, failure = find_chromium(), await install(sdk)
    if failure or binary is None:
        missing(failure or "no Chromium on this machine")
    folder = INSTALLED / sdk.script.partition(".")[0] / "node_modules" / "openai"
    trusted, other = App(), App()
    for app in (trusted, other):
        await app.start(folder)
    gateway = await start_gateway(
        ALLOWED_ORIGINS=f"http://localhost:{trusted.port}",
    )
    key = await gateway.create_key()
    found = []
    for app in (trusted, other):
        app.page = PAGE.replace("BASE", json.dumps(f"{gateway.url}/v1"))
        app.page = app.page.replace("KEY", json.dumps(key))
        browser = Browser(
            binary,
            tmp_path / f"profile{app.port}",
            "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        )
        await browser.start(f"http://localhost:{app.port}/")
        found.append(await asyncio.wait_for(app.report, 60))
        await browser.stop()
        await app.stop()
    told, refused = found
    assert told.pop("id")
    assert told.pop("models") > 0
    assert told == {"text": "hello page", "refused": "invalid_api_key"}
    assert "Connection error" in refused["error"]
