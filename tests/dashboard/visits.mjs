// Visits pages in Chromium, as told on stdin; one JSON object of what was found a line.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { toWebp } from "./webp.mjs";

const told = JSON.parse(await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next().then((line) => line.value));
const axe = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const browser = await chromium.launch({ executablePath: told.chromium, args: told.arguments });

const say = (found) => console.log(JSON.stringify(found));

const open = async ({ width, height = 900, scheme = "light", scripts = true }) => {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, javaScriptEnabled: scripts,
  });
  await context.addCookies(told.cookies);
  return context;
};

// What a page loads, says on its console, and asks of others.
const watch = (page) => {
  const seen = { console: [], foreign: [], bytes: 0, pending: [] };
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") seen.console.push(line.text());
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("requestfailed", (request) => seen.console.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== told.origin) seen.foreign.push(request.url());
  });
  page.on("response", (response) => {
    if (response.headers()["content-type"]?.startsWith("text/event-stream")) return;
    seen.pending.push(response.body().then((body) => { seen.bytes += body.length; }, () => {}));
  });
  return seen;
};

const go = (page, path) => page.goto(told.origin + path, { waitUntil: "load" });

// Each element that is to be reached, in its order; run in the page.
const reachable = () =>
  [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => !one.disabled && one.type !== "hidden" && one.checkVisibility({ visibilityProperty: true }))
    .map((one, at) => { one.dataset.reach = at; return one.outerHTML.slice(0, 100); });

// Which of them had the focus, and whether that was to be seen; run in the page.
const noteFocus = () => {
  globalThis.reached = {};
  addEventListener("focusin", ({ target }) => {
    const style = getComputedStyle(target);
    globalThis.reached[target.dataset.reach] = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  });
};

const byKeyboard = async (page) => {
  const wanted = await page.evaluate(reachable);
  await page.evaluate(noteFocus);
  for (let step = 0; step < wanted.length + 3; step++) await page.keyboard.press("Tab");
  const reached = await page.evaluate(() => globalThis.reached);
  // Of radio buttons of one name the keyboard reaches one, and arrows the others.
  const missed = wanted.filter((html, at) => !(at in reached) && !html.includes('type="radio"'));
  return { missed, unseen: wanted.filter((_, at) => reached[at] === false) };
};

const judge = (page) => page.evaluate(async () => {
  const { violations } = await globalThis.axe.run({ resultTypes: ["violations"] });
  return violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) =>
    `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join("; ")}`);
});

// Narrow and plain visits share a context each, and with it what is kept for good;
// a wide one has its own, as whoever comes first, so that all it loads is counted.
const shared = {};
const share = (name, options) => shared[name] ??= open(options);

const look = async (path, width, scheme) => {
  const isFirst = width > 1000;
  const context = await (isFirst ? open({ width, scheme }) : share("narrow", { width, scheme }));
  const page = await context.newPage();
  const seen = watch(page);
  const response = await go(page, path);
  await Promise.all(seen.pending);
  const found = await page.evaluate(() => ({
    title: document.title,
    heading: document.querySelector("h1")?.textContent.trim() ?? "",
    overflow: document.documentElement.scrollWidth - innerWidth,
    links: [...document.querySelectorAll("main a[href]")].map((one) => one.getAttribute("href")),
  }));
  const said = [...seen.console];
  const keyboard = width > 1000 ? await byKeyboard(page) : { missed: [], unseen: [] };
  await page.evaluate(axe);
  const judged = await judge(page);
  await (isFirst ? context : page).close();
  return { kind: "look", path, width, scheme, status: response.status(), ...found, ...keyboard, axe: judged,
    console: said, foreign: seen.foreign, bytes: seen.bytes };
};

const read = async (path) => {
  const context = await share("plain", { width: 1280, scripts: false });
  const page = await context.newPage();
  const response = await go(page, path);
  const found = {
    kind: "read", path, status: response.status(),
    heading: await page.locator("h1").first().textContent(),
    words: (await page.locator("main").innerText()).split(/\s+/).length,
    dead: await page.locator("main button:visible:not([type=submit]):not(form button)").count(),
  };
  await page.close();
  return found;
};

// A page of another site, with a link to a page of ours and a form that would act.
const fromElsewhere = async (path) => {
  const context = await open({ width: 1280 });
  const page = await context.newPage();
  await context.route("http://elsewhere.test/**", (route) => route.fulfill({
    contentType: "text/html",
    body: `<a href="${told.origin}${path}">look</a>
      <form method="post" action="${told.origin}/dashboard/sign-out"><button>send</button></form>`,
  }));
  await page.goto("http://elsewhere.test/");
  await page.click("a");
  await page.waitForSelector("h1"); // the page that reloads itself has none
  const found = { kind: "elsewhere", path, heading: await page.locator("h1").textContent() };
  await page.goto("http://elsewhere.test/");
  const [answer] = await Promise.all([
    page.waitForResponse((one) => one.request().method() === "POST"), page.click("button")]);
  await context.close();
  return { ...found, sent: answer.status() };
};

// What scripts add: charts, buttons that copy, a part that renews itself.
const live = async (path) => {
  const context = await open({ width: 1280 });
  const page = await context.newPage();
  await go(page, path);
  const found = await page.evaluate(() => ({
    charts: document.querySelectorAll(".chart-area canvas").length,
    tables: document.querySelectorAll("table[data-chart]").length,
    copies: document.querySelectorAll("[data-copy]:not([hidden])").length,
  }));
  const [answer] = await Promise.all([
    page.waitForResponse((one) => one.request().headers()["hx-request"] === "true"),
    page.evaluate(() => document.dispatchEvent(new Event("visibilitychange"))),
  ]);
  await page.waitForFunction(() => document.querySelectorAll(".chart-area canvas").length > 0);
  const renewed = await page.evaluate(() => document.querySelectorAll(".chart-area canvas").length);
  await context.close();
  return { kind: "live", path, ...found, renewed, answered: answer.status() };
};

// A page that follows what runs: its rows change beneath a focus that stays, and one of
// them is stopped by keyboard alone. It says so when the session has ended.
const follow = async (path) => {
  const context = await open({ width: 1280 });
  const page = await context.newPage();
  const seen = watch(page);
  await go(page, path);
  const stop = page.locator("a[id^=cut-]").first(); // of a turn that begins meanwhile
  await stop.waitFor();
  await stop.focus();
  const wanted = await stop.getAttribute("id");
  const age = await page.locator("td[data-label=Age]").first().textContent();
  await page.waitForFunction((old) => document.querySelector("td[data-label=Age]").textContent !== old, age);
  const focused = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("Enter");
  const confirm = page.getByRole("button", { name: "Stop the turn" });
  await confirm.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === path);
  await page.getByText("This page has stopped").waitFor();
  await context.close();
  const said = seen.console.filter((text) => !text.endsWith("/events?sort=age")); // left for another page
  return { kind: "follow", path, wanted, focused, said };
};

const picture = async (path, scheme, file, height) => {
  const context = await open({ width: 1280, height, scheme });
  const page = await context.newPage();
  await go(page, path);
  await page.waitForTimeout(300); // charts are drawn, and fade in nothing
  const png = await page.screenshot({ animations: "disabled" });
  const data = await toWebp(context, png);
  await context.close();
  return { kind: "picture", path, scheme, file, data };
};

try {
  const pages = [...told.pages ?? []];
  const visit = async () => {
    for (let path = pages.shift(); path; path = pages.shift()) {
      say(await look(path, 1280, "light"));
      say(await look(path, 390, "dark"));
      say(await read(path));
    }
  };
  await Promise.all([visit(), visit()]); // one draws while the other waits
  for (const path of told.elsewhere ?? []) say(await fromElsewhere(path));
  for (const path of told.live ?? []) say(await live(path));
  for (const path of told.follow ?? []) say(await follow(path));
  for (const wanted of told.pictures ?? []) say(await picture(...wanted));
} finally {
  await browser.close();
}
