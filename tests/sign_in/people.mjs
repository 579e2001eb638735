// People at browsers of their own: each line on stdin says what one of them does, and is
// answered by a line of what they see then. The first one tells of the browser.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { toWebp } from "../dashboard/webp.mjs";

const axe = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const told = JSON.parse((await lines.next()).value);
const browser = await chromium.launch({ executablePath: told.chromium, args: told.arguments });
const WIDE = { width: 1280, height: 900 };
const people = {};

const enter = async () => {
  const context = await browser.newContext({ viewport: WIDE, colorScheme: "light" });
  const page = await context.newPage();
  const said = [];
  page.on("console", (line) => {
    const isOurs = line.location().url.startsWith(told.origin);
    if (isOurs && ["error", "warning"].includes(line.type())) said.push(line.text());
  });
  page.on("pageerror", (error) => { if (page.url().startsWith(told.origin)) said.push(String(error)); });
  page.setDefaultTimeout(20_000);
  return { context, page, said };
};

const leadsOn = (page, locator) => Promise.all([page.waitForNavigation(), locator.click()]);

const actions = {
  open: ({ page }, { url }) => page.goto(url),
  fill: ({ page }, { label, text }) => page.getByLabel(label, { exact: true }).first().fill(text),
  press: ({ page }, { name }) => leadsOn(page, page.getByRole("button", { name, exact: true }).first()),
  follow: ({ page }, { name }) => leadsOn(page, page.getByRole("link", { name, exact: true }).first()),
  // A link somebody sent, on a page of a chat.
  chat: async ({ page }, { url }) => {
    await page.route("http://chat.test/", (route) => route.fulfill({
      contentType: "text/html", body: `<a href="${url.replaceAll("&", "&amp;")}">look</a>`,
    }));
    await page.goto("http://chat.test/");
    await page.click("a");
  },
  // What becomes of a page of ours in a frame of another's.
  frame: async ({ page }, { url }) => {
    await page.route("http://evil.test/", (route) => route.fulfill({
      contentType: "text/html", body: `<iframe src="${url.replaceAll("&", "&amp;")}"></iframe>`,
    }));
    await page.goto("http://evil.test/");
    return { framed: await page.frames()[1].locator("form").count() };
  },
  code: async ({ page }, { has }) =>
    ({ code: await page.locator("code", { hasText: has }).first().textContent() }),
  judge: async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 900 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.setViewportSize(WIDE);
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await globalThis.axe.run({ resultTypes: ["violations"] })).violations
      .filter((one) => ["serious", "critical"].includes(one.impact))
      .map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 160)}`));
    return { faults: overflow > 0 ? [...found, `${overflow} too wide`] : found };
  },
  // In the light and in the dark, as high as what stands there, up to some.
  picture: async ({ context, page }, { most }) => {
    await page.setViewportSize({ width: 1000, height: most });
    const needed = await page.evaluate(() => document.querySelector("main > :last-child").getBoundingClientRect().bottom);
    const height = Math.min(most, Math.ceil(needed) + 24);
    await page.setViewportSize({ width: 1000, height });
    const pictures = {};
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      pictures[scheme] = await toWebp(context, await page.screenshot({ animations: "disabled" }));
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(WIDE);
    return { pictures };
  },
};

for await (const line of lines) {
  const { who, does, until, ...more } = JSON.parse(line);
  const person = people[who] ??= await enter();
  let found;
  try {
    found = await actions[does](person, more);
    // Some pages lead on by themselves.
    if (until) await person.page.getByRole("heading", { name: until }).first().waitFor();
    await person.page.waitForLoadState();
    const { heading, text } = await person.page.evaluate(() => ({
      heading: document.querySelector("h1")?.textContent.trim() ?? "",
      text: document.body.innerText.replace(/\s+/g, " "),
    }));
    found = { ...(["judge", "picture", "code", "frame"].includes(does) ? found : {}), heading, text };
  } catch (error) {
    found = { error: String(error), text: await person.page.locator("body").innerText().catch(() => "") };
  }
  console.log(JSON.stringify({ ...found, url: person.page.url(), said: person.said.splice(0) }));
}
await browser.close();
