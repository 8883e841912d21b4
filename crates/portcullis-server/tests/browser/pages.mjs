// Every page: accessible (axe-core), light and dark; no wider than 360 pixels; by keyboard; and small.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { api, assert, base, flows, newKey, newUser, open, server, signIn, signedIn } from "./browser.mjs";
import { fill } from "./sample.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const MOST_BYTES = 100_000;

const known = await fill();
// As long as names can be, with and without a place to break them.
const LONG = "Northern Dental Clinic and Orthodontics Partnership of Leeds, Bradford and the West Riding (holding)";
const UNBROKEN = "W".repeat(100);
const long = await api("POST", "/businesses", { name: LONG, owner_id: server.user_id });
await api("POST", `/businesses/${long.id}/roles`, { name: UNBROKEN, permissions: ["calls:read"] });
await newUser(UNBROKEN, { business: long.id, role: "admin" });
const wide = await newKey(server.user_id, { name: UNBROKEN, permissions: ["calls:read"], business_scope: { only: [long.id] } });
const inside = [
  "/api-keys",
  "/api-keys?status=ended",
  "/api-keys?q=nothing-like-it",
  "/api-keys/new",
  `/api-keys/${known.zapier}`,
  `/api-keys/${known.zapier}?window=30d`,
  `/api-keys/${known.zapier}/edit`,
  `/api-keys/${known.backend}/edit`,
  `/api-keys/${known.zapier}/rotate`,
  `/api-keys/${known.zapier}/revoke`,
  `/api-keys/${known.zapier}/explain?permission=leads%3Aread&ip_address=203.0.113.9`,
  "/usage",
  "/usage?window=365d",
  "/businesses",
  "/businesses/new",
  `/businesses/${known.clinic}`,
  `/businesses/${known.clinic}/members/${known.bob.id}`,
  `/businesses/${known.clinic}/members/${known.bob.id}/remove`,
  `/businesses/${known.clinic}/roles`,
  `/businesses/${known.clinic}/roles/new`,
  `/businesses/${known.clinic}/roles/${known.role}`,
  `/businesses/${known.clinic}/settings`,
  `/businesses/${known.clinic}/api-keys`,
  `/businesses/${known.clinic}/usage`,
  `/api-keys/${wide.api_key.id}`,
  `/api-keys/${wide.api_key.id}/revoke`,
  `/businesses/${long.id}`,
  `/businesses/${long.id}/roles`,
  `/businesses/${long.id}/api-keys`,
  `/audit-log?of=${long.id}`,
  "/audit-log",
  "/profile?done=saved",
  "/platform/users",
  `/platform/users/${known.ann.id}`,
  `/platform/users/${known.ann.id}/disable`,
  "/platform/businesses",
  `/platform/businesses/${known.shop}/disable`,
  "/platform/operator-keys",
  "/platform/policy",
  "/platform/nodes",
  "/nothing-here",
];
const outside = ["/sign-in", "/password", "/password/forgotten", "/invitation"];

async function complaints(page) {
  // Evaluated by the browser's own tool, which the policy of the page does not bind.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary.split("\n")[1]}`));
}

/** Looks at a page that is open: nothing to complain of, and nothing beyond the edge. */
async function look(page, what) {
  assert.deepEqual(await complaints(page), [], what);
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(excess <= 0, `${what} is ${excess} pixels too wide`);
}

async function lookAtAll(browser, settings) {
  const { page, done } = await signedIn(browser, settings);
  for (const path of inside) {
    await page.goto(`${base}${path}`);
    await look(page, `${path} ${JSON.stringify(settings)}`);
  }
  // Pages that only a form leads to.
  await page.goto(`${base}/api-keys/new`);
  await page.locator("#summary p").first().waitFor();
  await page.getByRole("button", { name: "Create API key" }).click();
  await page.getByLabel("Name").fill("Looked at");
  await page.getByRole("button", { name: "Create API key" }).click();
  await page.locator(".wrong").first().waitFor();
  await look(page, "a refused form");
  await page.getByRole("radio", { name: /Same as mine/ }).check();
  await page.locator("#summary", { hasText: "whatever you may do yourself" }).waitFor();
  await page.getByRole("button", { name: "Create API key" }).click();
  await page.locator("#token").waitFor();
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await look(page, "the page of a token");
  await page.getByRole("link", { name: "I have stored it" }).click();
  await page.goto(`${base}/businesses/${known.clinic}`);
  await page.getByLabel("E-mail address").fill(`looked.at.${settings.colorScheme}${settings.viewport.width}@example.com`);
  await page.getByRole("button", { name: "Make an invitation" }).click();
  await page.locator("#link").waitFor();
  await look(page, "the page of a link");
  await page.getByRole("link", { name: "I have copied it" }).click();
  await done();
  const stranger = await open(browser, settings);
  for (const path of outside) {
    await stranger.page.goto(`${base}${path}`);
    await look(stranger.page, `${path} ${JSON.stringify(settings)}`);
  }
  await stranger.done();
}

await flows({
  "light, wide": (browser) => lookAtAll(browser, { colorScheme: "light", viewport: { width: 1280, height: 900 } }),
  "dark, wide": (browser) => lookAtAll(browser, { colorScheme: "dark", viewport: { width: 1280, height: 900 } }),
  "light, 360 pixels": (browser) => lookAtAll(browser, { colorScheme: "light", viewport: { width: 360, height: 700 } }),
  "dark, 360 pixels": (browser) => lookAtAll(browser, { colorScheme: "dark", viewport: { width: 360, height: 700 } }),

  async "every page is small, also the first that somebody opens"(browser) {
    const sizes = {};
    for (const path of [...inside, ...outside]) {
      const { page, context, done } = await open(browser);
      if (!outside.includes(path)) {
        await signIn(page);
      }
      // A browser that has nothing yet: a context whose cache is off counts everything.
      const session = await context.newCDPSession(page);
      await session.send("Network.enable");
      await session.send("Network.setCacheDisabled", { cacheDisabled: true });
      let bytes = 0;
      session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
      await page.goto(`${base}${path}`, { waitUntil: "networkidle" });
      sizes[path] = bytes;
      assert.ok(bytes > 0 && bytes < MOST_BYTES, `${path}: ${bytes} bytes`);
      await done();
      if (path === "/api-keys/new" || path === "/audit-log") {
        console.log(`   ${path}: ${bytes} bytes`);
      }
    }
    const [largest] = Object.entries(sizes).sort(([, one], [, other]) => other - one);
    console.log(`   the largest is ${largest[0]} with ${largest[1]} bytes`);
  },

  async "everything is reached by the keyboard, and the focus is seen"(browser) {
    const { page, done } = await signedIn(browser);
    await page.goto(`${base}/api-keys`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const reached = new Set();
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press("Tab");
      const focus = await page.evaluate(() => {
        const { activeElement: element } = document;
        const style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        return { text: element.innerText || element.name || "", seen: style.outlineStyle !== "none" && box.width > 0, body: element === document.body };
      });
      if (focus.body) {
        break;
      }
      assert.ok(focus.seen, `the focus on “${focus.text}” is not seen`);
      reached.add(focus.text.trim());
    }
    for (const wanted of ["Create API key", "Revoked and expired", "q", "Filter", "CRM Integration"]) {
      assert.ok(reached.has(wanted), `${wanted} in ${[...reached].join(", ")}`);
    }
    // A whole key, without a mouse.
    await page.goto(`${base}/api-keys/new`);
    assert.equal(await page.evaluate(() => document.activeElement.id), "name");
    await page.keyboard.type("By keyboard");
    await page.locator("[value='calls:read']").focus();
    await page.keyboard.press("Space");
    await page.locator("#summary", { hasText: "read calls" }).waitFor();
    await page.locator("#name").focus();
    await page.keyboard.press("Enter");
    await page.locator("#token").waitFor();
    await page.getByRole("link", { name: "I have stored it" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "By keyboard" }).waitFor();
    await done();
  },
});
