// Pictures of the pages for the README, and for whoever works on them:
//
//     node screenshots.mjs <first line of quickstart --json> <folder> <database> [all]
//
// With `all`, every page, light and dark, wide and narrow; without, those that the README shows. The database is given a month of calls.

import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { base, flows, open, signedIn } from "./browser.mjs";
import { fill } from "./sample.mjs";

const [, , , folder, database, which] = process.argv;
await mkdir(folder, { recursive: true });

const TOKEN = /(ak|op|pl)_live_[0-9A-Za-z]{20,}/g;

/** A picture in which no token can be read, though the server that it worked on is gone when anybody sees it. */
async function picture(page, name) {
  await page.evaluate((pattern) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      walker.currentNode.data = walker.currentNode.data.replace(new RegExp(pattern, "g"), (token) => `${token.slice(0, 12)}…`);
    }
  }, TOKEN.source);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: which === "all" });
}

async function create(page, { once = false } = {}) {
  await page.goto(`${base}/api-keys/new`);
  await page.getByLabel("Name").fill("Zapier Integration - Dental Clinic");
  await page.getByRole("radio", { name: /Only these/ }).check();
  await page.getByRole("checkbox", { name: "Dental Clinic" }).check();
  for (const label of ["Read calls", "Read contacts"]) {
    await page.getByRole("checkbox", { name: label, exact: true }).check({ force: true });
  }
  await page.locator("#summary", { hasText: "read calls and contacts of Dental Clinic" }).waitFor();
  if (once) {
    await page.getByRole("button", { name: "Create API key" }).click();
    await page.locator("#token").waitFor();
  } else if (which !== "all") {
    await page.getByRole("button", { name: "Create API key" }).scrollIntoViewIfNeeded();
  }
}

await flows({
  async screenshots(browser) {
    const known = await fill();
    const history = fileURLToPath(new URL("history.py", import.meta.url));
    const { backend, zapier, crm, nightly, quickstart } = known;
    execFileSync("python3", [history, database, known.clinic, known.owner, backend, zapier, crm, quickstart, nightly]);
    const at = (path) => async (page) => page.goto(`${base}${path}`);
    const readme = { "api-keys": at("/api-keys"), create, token: (page) => create(page, { once: true }), "api-key": at(`/api-keys/${known.zapier}`), usage: at("/usage") };
    const rest = {
      ended: at("/api-keys?status=ended"),
      explain: at(`/api-keys/${known.zapier}/explain?permission=leads%3Aread&business_id=${known.clinic}&ip_address=203.0.113.9`),
      edit: at(`/api-keys/${known.zapier}/edit`),
      rotate: at(`/api-keys/${known.zapier}/rotate`),
      revoke: at(`/api-keys/${known.zapier}/revoke`),
      businesses: at("/businesses"),
      members: at(`/businesses/${known.clinic}`),
      "keys-of-business": at(`/businesses/${known.clinic}/api-keys`),
      roles: at(`/businesses/${known.clinic}/roles`),
      role: at(`/businesses/${known.clinic}/roles/${known.role}`),
      settings: at(`/businesses/${known.clinic}/settings`),
      "audit-log": at("/audit-log"),
      profile: at("/profile"),
      users: at("/platform/users"),
      user: at(`/platform/users/${known.ann.id}`),
      disable: at(`/platform/users/${known.ann.id}/disable`),
      "all-businesses": at("/platform/businesses"),
      "operator-keys": at("/platform/operator-keys"),
      policy: at("/platform/policy"),
      nodes: at("/platform/nodes"),
      reference: at("/reference"),
      nothing: at("/api-keys/key_00000000000000000000000001"),
    };
    const looks = which === "all" ? ["light-1280", "dark-1280", "light-360"] : ["light-1280", "dark-1280"];
    for (const look of looks) {
      const [colorScheme, width] = look.split("-");
      const settings = { colorScheme, viewport: { width: Number(width), height: width === "360" ? 780 : 860 }, deviceScaleFactor: 1 };
      const { page, context } = await signedIn(browser, settings);
      const shown = which === "all" ? { ...readme, ...rest } : readme;
      for (const [name, go] of Object.entries(shown)) {
        await go(page);
        await page.waitForLoadState("networkidle");
        await picture(page, which === "all" ? `${name}-${look}` : `${name}-${colorScheme}`);
      }
      await context.close();
      const { page: outside, context: other } = await open(browser, settings);
      if (which === "all") {
        for (const path of ["sign-in", "invitation", "password/forgotten", "password"]) {
          await outside.goto(`${base}/${path}`);
          await picture(outside, `${path.replace("/", "-")}-${look}`);
        }
      }
      await other.close();
    }
  },
});
