// What all scripts of this folder have in common: a browser that has no errands of its own, and pages that tell on themselves.
//
// A script is run with one argument: what `portcullis quickstart --json` printed on its first line.

import assert from "node:assert/strict";

import { chromium } from "playwright-core";

export const server = JSON.parse(process.argv[2] ?? "{}");
export const base = server.url;
export const API = `${base}/api/v1`;
export const PASSWORD = "correct horse battery staple";

const PATIENCE_MILLIS = 20_000;
export const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Runs the flows, one after the other, in a browser of their own; each gets a context that nobody was in before. */
export async function flows(all) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ARGUMENTS });
  let failed = 0;
  try {
    for (const [name, flow] of Object.entries(all)) {
      try {
        await flow(browser);
        console.log(`ok ${name}`);
      } catch (error) {
        failed += 1;
        console.log(`FAILED ${name}: ${error.stack}`);
      }
    }
  } finally {
    await browser.close();
  }
  console.log(failed === 0 ? "all passed" : `${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** A page in a context of its own. What the browser complains of is an error of the flow, told when it is closed by `done`. */
export async function open(browser, settings = {}) {
  const context = await browser.newContext(settings);
  const complaints = [];
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    // A refusal that a flow provokes is logged by the browser as an error of the network.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      complaints.push(message.text());
    }
  });
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== base && protocol !== "data:" && protocol !== "blob:" && !request.isNavigationRequest()) {
      complaints.push(`asked another origin: ${request.url()}`);
    }
  });
  if (settings.javaScriptEnabled !== false) {
    await context.addInitScript(() =>
      document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`policy violation: ${event.effectiveDirective} stopped ${event.blockedURI}`),
      ),
    );
  }
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MILLIS);
  const done = async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  };
  return { page, context, done };
}

export async function signIn(page, email = server.email, password = server.password) {
  await page.goto(`${base}/sign-in`);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
}

/** Signed in, in a context of its own. */
export async function signedIn(browser, settings = {}, email = server.email, password = server.password) {
  const opened = await open(browser, settings);
  await signIn(opened.page, email, password);
  return opened;
}

/** Asks the API as the operator. */
export async function api(method, path, body, token = server.operator_token) {
  const answer = await fetch(`${API}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const told = await answer.json();
  assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(told)}`);
  return told.data;
}

export async function verify(token, rest = {}) {
  return api("POST", "/verify", { token, ...rest });
}

let users = 0;

/** A new user with a password; a member of a business where one is named. */
export async function newUser(name, { business, role = "member", admin = false } = {}) {
  users += 1;
  const email = `user${users}.${Date.now()}@example.com`;
  const user = await api("POST", "/users", { email, name });
  if (admin) {
    await api("PATCH", `/users/${user.id}`, { platform_admin: true });
  }
  if (business) {
    await api("PUT", `/businesses/${business}/members/${user.id}`, { role_id: role });
  }
  const { url } = await api("POST", `/users/${user.id}/password-links`, {});
  const set = await fetch(`${API}/password`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: url.split("#")[1], password: PASSWORD }),
  });
  assert.equal(set.status, 201);
  return { ...user, email };
}

export async function newKey(userId, wanted) {
  return api("POST", `/users/${userId}/api-keys`, wanted);
}

/** What a reader reads on the page. */
export async function text(page, selector = "main") {
  return page.locator(selector).innerText();
}

export { assert };
