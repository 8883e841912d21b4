// Uses the API reference as a reader would, and fails if the page asks any other origin for anything.
//
//     node reference.mjs <first line of quickstart --json> [<folder for screenshots>]
//
// It prints one line of JSON, {"requests": [...], "errors": [...], "status": 200}: the URLs asked for outside of the
// base, what the browser complained of, and the status that the page showed for the request that was sent from it.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { ARGUMENTS, server } from "./browser.mjs";

const OPERATION = "/api/v1/whoami";
const PATIENCE = 20_000;

const { url: base, token } = server;
const folder = process.argv[3];
const origin = new URL(base).origin;
const seen = { requests: new Set(), errors: new Set() };

/** A page that tells on itself, in a context of its own. */
async function open(browser, settings = {}) {
  const context = await browser.newContext(settings);
  // The context is asked rather than the page, so that a window which the page opens is watched as well.
  context.on("request", (request) => note(request.url()));
  context.on("requestfailed", (request) => seen.errors.add(`${request.url()}: ${request.failure()?.errorText}`));
  context.on("console", (message) => message.type() === "error" && seen.errors.add(message.text()));
  context.on("weberror", (error) => seen.errors.add(String(error.error())));
  // A request that the policy stops is never sent, and so is only visible here.
  await context.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy violation: ${event.effectiveDirective} stopped ${event.blockedURI}`),
    ),
  );
  const page = await context.newPage();
  page.on("websocket", (socket) => note(socket.url()));
  page.setDefaultTimeout(PATIENCE);
  const answer = await page.goto(new URL("/reference", base).href);
  if (answer.status() !== 200) {
    throw new Error(`/reference answered with ${answer.status()}`);
  }
  await operation(page).waitFor();
  return page;
}

/** Notes a URL that is neither of the base nor within the page itself. */
function note(url) {
  const { origin: asked, protocol } = new URL(url);
  if (asked !== origin && protocol !== "data:" && protocol !== "blob:") {
    seen.requests.add(url);
  }
}

function operation(page) {
  const path = page.locator(`.opblock-summary-path[data-path="${OPERATION}"]`);
  return page.locator(".opblock-get").filter({ has: path });
}

/** Enters the token as a customer's key. The operator's scheme has a field of the same kind, and must stay empty. */
async function authorize(page) {
  await page.locator(".auth-wrapper .btn.authorize").click();
  const scheme = page.locator(".modal-ux .auth-container").filter({ hasText: /\bapi_key\s*\(http/i });
  await scheme.locator("input").fill(token);
  await scheme.locator("button[type=submit]").click();
  // Only a scheme that has taken the token offers to forget it.
  await scheme.getByRole("button", { name: "Remove authorization" }).waitFor();
  await scheme.locator(".btn-done").click();
}

/** Sends the operation, and answers with the status on the page once it is there. */
async function send(page) {
  const block = operation(page);
  await block.locator(".opblock-summary-control").click();
  await block.locator(".try-out__btn").click();
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === OPERATION);
  await block.locator(".btn.execute").click();
  const shown = block.locator(".live-responses-table tr.response");
  await shown.waitFor();
  const status = Number.parseInt(await shown.locator(".response-col_status").innerText(), 10);
  // What is on the page must be what the server said, and not only an example from the document.
  const sent = await answered;
  if (sent.status() !== status) {
    throw new Error(`the server answered with ${sent.status()}, and the page shows ${status}`);
  }
  const known = Object.values((await sent.json()).data ?? {}).find((value) => typeof value === "string");
  if (status === 200 && !(await shown.innerText()).includes(known)) {
    throw new Error(`the page does not show the body of the answer, which has ${JSON.stringify(known)}`);
  }
  return status;
}

/** Pictures of the page as it opens and of an open operation. Nothing is entered, so that no picture shows a token. */
async function photograph(browser) {
  await mkdir(folder, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 360]) {
      const page = await open(browser, { colorScheme, viewport: { width, height: 900 } });
      await page.screenshot({ path: join(folder, `reference-${colorScheme}-${width}.png`) });
      await operation(page).locator(".opblock-summary-control").click();
      await operation(page).locator(".opblock-body .responses-table").waitFor();
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (excess > 0) {
        seen.errors.add(`at ${width} pixels the page is ${excess} too wide`);
      }
      await page.screenshot({ path: join(folder, `reference-${colorScheme}-${width}-open.png`), fullPage: true });
      await page.context().close();
    }
  }
}

let status = null;
const faults = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ARGUMENTS,
});
try {
  const page = await open(browser);
  await authorize(page);
  status = await send(page);
  if (folder) {
    await photograph(browser);
  }
} catch (error) {
  faults.push(error.message);
} finally {
  await browser.close();
}

const requests = [...seen.requests].sort();
const errors = [...seen.errors].sort();
console.log(JSON.stringify({ requests, errors, status }));
faults.push(...requests.map((url) => `asked another origin: ${url}`));
faults.push(...errors.map((error) => `the browser complained: ${error}`));
if (faults.length === 0 && status !== 200) {
  faults.push(`the page shows the status ${status} instead of 200`);
}
for (const fault of faults) {
  console.error(fault);
}
process.exitCode = faults.length === 0 ? 0 : 1;
