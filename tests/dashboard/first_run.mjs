// Goes from the first link to the key's lines by clicks alone, as told on stdin; says
// those lines, and what went wrong on the way, as JSON.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const told = JSON.parse((await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()).value);
const browser = await chromium.launch({ executablePath: told.chromium, args: told.arguments });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
const found = { console: [], foreign: [], requested: [] };
page.on("console", (line) => {
  if (["error", "warning"].includes(line.type())) found.console.push(line.text());
});
page.on("pageerror", (error) => found.console.push(String(error)));
page.on("request", (request) => {
  found.requested.push(request.url());
  if (![told.origin, "http://chat.test"].includes(new URL(request.url()).origin)) found.foreign.push(request.url());
});

// What an authenticator shows (RFC 6238), made anew from its description.
const code = (secret) => {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter)
    .toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
};

const click = (name) => page.getByRole("button", { name, exact: true }).click();
const follow = (name) => page.getByRole("link", { name }).first().click();

try {
  // Followed from a chat; the script sends what stands in the fragment.
  const chat = "http://chat.test/";
  await page.route(chat, (route) => route.fulfill({
    contentType: "text/html", body: `<a href="${told.link}">your link</a>`,
  }));
  await page.goto(chat);
  await page.click("a");
  await page.getByLabel("Your name").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
  await page.getByLabel("The same once more").fill("correct horse battery");
  await click("Set the password");
  await page.getByText("It cannot scan").click();
  await page.getByLabel("Code").fill(code(await page.locator("details code").textContent()));
  await click("Turn it on");
  await follow("I have kept them");
  await follow("Do it: Account");
  await click("Get a code");
  await follow("Go on"); // shown by itself once the login was confirmed
  await follow("Do it: API key");
  await page.getByLabel("Name", { exact: true }).first().fill("laptop");
  await click("Make the key");
  found.lines = await page.locator("code", { hasText: "[model_providers" }).first().textContent();
  await follow(/go on/);
  await follow("Do it: Doctor");
  found.doctor = page.url();
  found.cookies = (await page.context().cookies()).map(({ name, secure, httpOnly, sameSite }) =>
    ({ name, secure, httpOnly, sameSite }));
} catch (error) {
  found.error = `${page.url()}: ${error}`;
  if (told.picture) await page.screenshot({ path: told.picture });
} finally {
  console.log(JSON.stringify(found));
  await browser.close();
}
