// API keys: made, shown once, listed, explained, rotated, revoked.

import { execFileSync } from "node:child_process";

import { PASSWORD, api, assert, base, flows, newKey, newUser, server, signedIn, text, verify } from "./browser.mjs";

const [clinic, shop] = server.business_ids;
const inDays = (days) => new Date(Date.now() + days * 86_400_000);
const longDate = (date) => date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** Fills the form of a new key as far as every key needs it. */
async function begin(page, name) {
  await page.goto(`${base}/api-keys`);
  await page.getByRole("link", { name: "Create API key" }).click();
  await page.getByLabel("Name").fill(name);
}

async function create(page) {
  await page.getByRole("button", { name: "Create API key" }).click();
  await page.locator("#token").waitFor();
  return (await page.locator("#token").innerText()).trim();
}

const summary = (page, said) => page.locator("#summary", { hasText: said }).waitFor();

await flows({
  async "a key is made, told in one sentence, shown once, and works"(browser) {
    const { page, context, done } = await signedIn(browser);
    await begin(page, "Zapier Integration - Dental Clinic");
    await page.getByLabel("Expires").selectOption("date");
    const end = inDays(91);
    await page.getByLabel("Last day").fill(end.toISOString().slice(0, 10));
    await page.getByRole("radio", { name: /Only these/ }).check();
    await page.getByRole("checkbox", { name: "Dental Clinic" }).check();
    assert.equal(await page.locator("[value='analytics:write']").count(), 0, "analytics has no write");
    await page.getByRole("checkbox", { name: "Read calls" }).check();
    await page.getByRole("checkbox", { name: "Read contacts" }).check();
    await summary(page, `This key can read calls and contacts of Dental Clinic until ${longDate(end)}.`);
    const token = await create(page);
    assert.match(token, /^ak_live_/);
    assert.equal((await page.locator("#env").innerText()).trim(), `API_KEY=${token}`);
    for (const language of ["curl", "Python", "JavaScript", "Rust"]) {
      await page.getByText(language, { exact: true }).waitFor();
    }
    // The lines work when they are pasted, with the token in the environment.
    const lines = (id) => page.locator(`#${id}`).textContent();
    assert.match(await lines("curl"), /^curl -s http:\S+\/api\/v1\/whoami \\\n  -H "Authorization: Bearer \$API_KEY"$/);
    const runs = [["python3", "-c", await lines("python")], ["node", "--input-type=module", "-e", await lines("javascript")]];
    for (const [program, ...rest] of runs) {
      assert.match(execFileSync(program, rest, { env: { PATH: process.env.PATH, API_KEY: token } }).toString(), /Zapier Integration - Dental Clinic/, program);
    }
    const asked = { business_id: clinic, ip_address: "203.0.113.1" };
    assert.equal((await verify(token, { ...asked, permission: "contacts:read" })).code, "VALID");
    assert.equal((await verify(token, { ...asked, permission: "contacts:write" })).code, "PERMISSION_DENIED");
    assert.equal((await verify(token, { ...asked, business_id: shop })).code, "PERMISSION_DENIED");

    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: base });
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, document.cookie]));
    assert.ok(!kept.includes(token));

    // Leaving asks first.
    let asks = 0;
    page.once("dialog", (dialog) => {
      asks += 1;
      void dialog.accept();
    });
    await page.getByRole("link", { name: "Usage" }).first().click();
    await page.waitForURL(`${base}/usage`);
    assert.equal(asks, 1);
    // Neither back nor forward brings it, nor does sending the form again.
    await page.goBack();
    await page.getByRole("heading", { name: "Zapier Integration - Dental Clinic" }).waitFor();
    assert.ok(!(await page.content()).includes(token));
    await page.goBack();
    await page.goForward();
    await page.getByRole("heading", { name: "Zapier Integration - Dental Clinic" }).waitFor();
    assert.ok(!(await page.content()).includes(token));
    await page.goto(`${base}/api-keys`);
    assert.ok(!(await page.content()).includes(token));
    const row = page.getByRole("row").filter({ hasText: "Zapier Integration - Dental Clinic" });
    assert.match(await row.innerText(), /Dental Clinic[\s\S]*Read calls and contacts/);
    assert.match(await row.innerText(), /5 · 5 · 5/);
    await done();
  },

  async "reloading the page of a token leads to its key, and does not bring the token"(browser) {
    const user = await newUser("Reloader", { business: clinic });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await begin(page, "Made once");
    await page.getByRole("radio", { name: /Same as mine/ }).check();
    await summary(page, "whatever you may do yourself");
    const token = await create(page);
    page.on("dialog", (dialog) => void dialog.accept());
    await page.reload();
    await page.getByRole("heading", { name: "Made once" }).waitFor();
    assert.ok(!(await page.content()).includes(token));
    const keys = await api("GET", `/users/${user.id}/api-keys`);
    assert.equal(keys.length, 1, "one form makes one key");
    await done();
  },

  async "the sentence is about what was chosen last, however slow the answers are"(browser) {
    const { page, done } = await signedIn(browser);
    await page.route("**/new/summary", async (route) => {
      await new Promise((go) => setTimeout(go, 600));
      // The page gives up those that have been overtaken.
      await route.continue().catch(() => {});
    });
    await begin(page, "In a hurry");
    for (const box of ["Read calls", "Write calls", "Read leads", "Write leads"]) {
      await page.getByRole("checkbox", { name: box }).check();
    }
    await page.getByRole("radio", { name: /Same as mine/ }).check();
    await summary(page, "whatever you may do yourself");
    await done();
  },

  async "a double click makes one key"(browser) {
    const user = await newUser("Double Clicker");
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await begin(page, "Clicked twice");
    await page.getByRole("radio", { name: /Same as mine/ }).check();
    await summary(page, "whatever you may do yourself");
    await page.getByRole("button", { name: "Create API key" }).dblclick();
    await page.locator("#token").waitFor();
    assert.equal((await api("GET", `/users/${user.id}/api-keys`)).length, 1);
    await page.getByRole("link", { name: "I have stored it" }).click();
    await done();
  },

  async "what is wrong with a form is said at its fields, and nothing is lost"(browser) {
    const { page, done } = await signedIn(browser);
    await begin(page, "Wrong in every way");
    await page.getByLabel("Expires").selectOption("never");
    await page.getByText("A key that never expires works until somebody revokes it").waitFor();
    await page.getByLabel("Expires").selectOption("date");
    await page.getByRole("radio", { name: /Only these/ }).check();
    await page.getByLabel("Allowed addresses").fill("somewhere\n10.1.2.3/8");
    await summary(page, "Choose at least one permission");
    await page.getByRole("button", { name: "Create API key" }).click();
    for (const said of ["Choose a date.", "Choose at least one business.", "Choose at least one permission, or “Same as mine”.", "Must be an IPv4 or IPv6 address", "Has bits beyond its prefix: write 10.0.0.0/8"]) {
      await page.locator(".wrong", { hasText: said }).waitFor();
    }
    assert.equal(await page.getByLabel("Name").inputValue(), "Wrong in every way");
    assert.equal(await page.getByLabel("Allowed addresses").inputValue(), "somewhere\n10.1.2.3/8");
    await done();
  },

  async "nobody gives what they lack"(browser) {
    const user = await newUser("Viewer Only", { business: clinic, role: "viewer" });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await begin(page, "More than I am");
    assert.ok(await page.getByRole("checkbox", { name: "Write calls" }).isDisabled());
    await page.evaluate(() => (document.querySelector("[value='calls:write']").disabled = false));
    await page.getByRole("checkbox", { name: "Write calls" }).check();
    await summary(page, "write calls");
    await page.getByRole("button", { name: "Create API key" }).click();
    await page.getByRole("alert").getByText("Your roles do not allow `calls:write`.").waitFor();
    assert.equal((await api("GET", `/users/${user.id}/api-keys`)).length, 0);
    await done();
  },

  async "the list is searched and filtered; what has ended stands apart, with who, when and why"(browser) {
    const user = await newUser("Many Keys", { business: clinic, role: "admin" });
    await api("PUT", `/businesses/${shop}/members/${user.id}`, { role_id: "member" });
    await newKey(user.id, { name: "Alpha of the clinic", business_scope: { only: [clinic] }, permissions: ["calls:read"] });
    await newKey(user.id, { name: "Beta of the shop", business_scope: { only: [shop] }, permissions: ["calls:read"], expires_at: inDays(5).toISOString() });
    const gone = await newKey(user.id, { name: "Gamma, gone", permissions: ["calls:read"] });
    const short = await newKey(user.id, { name: "Delta, expired", permissions: ["calls:read"], expires_at: new Date(Date.now() + 1_500).toISOString() });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    const names = async () => (await page.locator("#list tbody td:first-child a").allInnerTexts()).sort();
    await page.goto(`${base}/api-keys`);
    const beta = page.getByRole("row").filter({ hasText: "Beta" });
    assert.match(await beta.innerText(), /ends soon/);
    assert.match(await beta.locator("time").nth(1).getAttribute("title"), /UTC$/);
    await page.getByRole("searchbox", { name: "Name" }).fill("alp");
    await page.locator("#list tbody tr").nth(1).waitFor({ state: "detached" });
    assert.deepEqual(await names(), ["Alpha of the clinic"]);
    assert.match(page.url(), /q=alp/, "the address keeps the filter");
    await page.getByRole("searchbox", { name: "Name" }).fill("");
    await page.locator("#list tbody tr").nth(1).waitFor();
    await page.getByLabel("Business").selectOption({ label: "Bike Shop" });
    await page.locator("#list", { hasNotText: "Alpha" }).waitFor();
    assert.ok((await names()).includes("Beta of the shop"));
    assert.match(await page.getByRole("link", { name: "Revoked and expired" }).getAttribute("href"), new RegExp(shop), "the tabs keep the filter");

    await page.goto(`${base}/api-keys/${gone.api_key.id}/revoke`);
    await page.getByLabel("Type the name").fill("Gamma");
    await page.getByRole("button", { name: "Revoke for ever" }).click();
    await page.getByText("Is not the name of this key: nothing was revoked.").waitFor();
    assert.equal((await verify(gone.token)).code, "VALID");
    await page.getByLabel("Type the name").fill("Gamma, gone");
    await page.getByLabel("Why").fill("The contract has ended");
    await page.getByRole("button", { name: "Revoke for ever" }).click();
    await page.getByText("No request with it is let through any more").waitFor();
    assert.equal((await verify(gone.token)).reason, "revoked", "in force when the page is there");
    while ((await verify(short.token)).reason !== "expired") {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    for (const over of ["edit", "rotate", "revoke"]) {
      await page.goto(`${base}/api-keys/${gone.api_key.id}/${over}`);
      assert.equal(page.url(), `${base}/api-keys/${gone.api_key.id}`, "nothing is left to do with it");
    }
    await page.goto(`${base}/api-keys`);
    assert.deepEqual(await names(), ["Alpha of the clinic", "Beta of the shop"]);
    await page.getByRole("link", { name: "Revoked and expired" }).click();
    await page.locator("#list", { hasText: "Gamma" }).waitFor();
    assert.deepEqual(await names(), ["Delta, expired", "Gamma, gone"]);
    assert.match(await page.getByRole("row").filter({ hasText: "Gamma" }).innerText(), /revoked[\s\S]*You[\s\S]*The contract has ended/);
    assert.match(await page.getByRole("row").filter({ hasText: "Delta" }).innerText(), /expired[\s\S]*By itself/);
    await page.getByLabel("Status").selectOption("expired");
    await page.locator("#list", { hasNotText: "Gamma" }).waitFor();

    // Whoever looks after the keys of a business sees those of others, by owner.
    await page.goto(`${base}/api-keys`);
    await page.getByLabel("Business").selectOption({ label: "Dental Clinic" });
    await page.getByLabel("Owner").selectOption({ label: "Everybody" });
    await page.waitForURL(new RegExp(`/businesses/${clinic}/api-keys`));
    await page.getByRole("heading", { name: "API keys that reach this business" }).waitFor();
    assert.ok((await names()).length < (await page.locator("#list tbody tr").count()), "keys of others lead nowhere");
    await page.getByLabel("Owner").selectOption({ label: "Many Keys" });
    await page.locator("#list", { hasNotText: "Quickstart" }).waitFor();
    const ended = await newKey(user.id, { name: "Epsilon, ended by others", business_scope: { only: [clinic] }, permissions: ["calls:read"] });
    await api("POST", `/users/${user.id}/api-keys/${ended.api_key.id}/revoke`, { reason: "Found in a repository" });
    await page.goto(`${base}/businesses/${clinic}/api-keys?status=ended`);
    assert.match(await page.getByRole("row").filter({ hasText: "Epsilon" }).innerText(), /Many Keys[\s\S]*revoked[\s\S]*An operator key[\s\S]*Found in a repository/);
    await done();
  },

  async "one key: facts, usage by cause, trail, explanation"(browser) {
    const user = await newUser("One Key", { business: clinic });
    const key = await newKey(user.id, { name: "All about one", business_scope: { only: [clinic] }, permissions: ["calls:read"], allowed_ips: ["203.0.113.0/24"], metadata: { team: "blue" } });
    for (const permission of ["calls:read", "calls:read", "calls:write"]) {
      await verify(key.token, { permission, business_id: clinic, ip_address: "203.0.113.9" });
    }
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/api-keys/${key.api_key.id}`);
    const facts = await text(page, "#key");
    for (const said of ["Dental Clinic", "Read calls", "203.0.113.0/24", "blue", "from 203.0.113.9", "3 in 24 h", "100,000,000 a minute"]) {
      assert.ok(facts.includes(said), `${said} in ${facts}`);
    }
    assert.match(await text(page, "#chart"), /Let through 2[\s\S]*Permission, business or address 1/);
    await page.getByText("The numbers").click();
    assert.match(await text(page, "#chart table"), /2\s+1/);
    await page.getByRole("link", { name: "30 days" }).click();
    await page.waitForURL(/window=30d/);
    assert.match(await text(page, "#chart"), /Let through 2/);
    assert.match(await text(page, "#trail"), /API key created/);
    await page.getByLabel("Permission").selectOption("calls:write");
    await page.getByLabel("From address").fill("203.0.113.9");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.locator("#answer", { hasText: "PERMISSION_DENIED" }).waitFor();
    assert.equal(await page.locator("#answer li").count(), 9);
    assert.match(await page.locator("#answer li").nth(7).innerText(), /Permission failed/);
    await page.getByLabel("Permission").selectOption("calls:read");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.locator("#answer", { hasText: "VALID The request would be let through." }).waitFor();
    await page.getByLabel("From address").fill("nowhere");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.locator("#answer", { hasText: "Must be an IPv4 or IPv6 address." }).waitFor();
    const { totals } = await api("GET", `/users/${user.id}/api-keys/${key.api_key.id}/usage`);
    assert.deepEqual([totals.VALID, totals.PERMISSION_DENIED], [2, 1], "explaining counts nothing");
    await done();
  },

  async "a key is edited, only to less"(browser) {
    const user = await newUser("Editor", { business: clinic });
    const key = await newKey(user.id, { name: "Before", permissions: ["calls:read", "leads:read"] });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/api-keys/${key.api_key.id}`);
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    assert.ok(await page.getByRole("checkbox", { name: "Write calls" }).isDisabled());
    await page.getByLabel("Name").fill("After");
    await page.getByRole("checkbox", { name: "Read leads" }).uncheck();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();
    assert.match(await text(page), /After[\s\S]*Read calls/);
    assert.equal((await verify(key.token, { permission: "leads:read" })).code, "PERMISSION_DENIED");
    await done();
  },

  async "rotating walks through four steps, and the old token ends"(browser) {
    const user = await newUser("Rotator", { business: clinic });
    const key = await newKey(user.id, { name: "Turning", permissions: ["calls:read"] });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/api-keys/${key.api_key.id}`);
    await page.getByRole("link", { name: "Rotate", exact: true }).click();
    assert.equal(await page.locator(".steps li").count(), 4);
    await page.getByLabel("The old token goes on working for").selectOption("3600");
    await page.getByRole("button", { name: "Make the new token" }).click();
    await page.locator("#token").waitFor();
    const token = (await page.locator("#token").innerText()).trim();
    assert.equal(await page.locator(".steps li").count(), 4);
    assert.equal((await verify(token)).code, "VALID");
    assert.equal((await verify(key.token)).code, "VALID");
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("heading", { name: "Turning" }).waitFor();
    const rotations = page.locator("section", { has: page.getByRole("heading", { name: "Rotations" }) });
    assert.equal(await rotations.locator("tbody tr").count(), 2);
    await rotations.getByRole("link").click();
    await page.getByText("rotated").first().waitFor();
    await page.getByRole("link", { name: "Revoke", exact: true }).click();
    await page.getByLabel("Type the name").fill("Turning");
    await page.getByRole("button", { name: "Revoke for ever" }).click();
    await page.getByText("No request with it is let through any more").waitFor();
    assert.equal((await verify(key.token)).reason, "revoked");
    assert.equal((await verify(token)).code, "VALID");
    await done();
  },

  async "revoking in one window is seen in another within two seconds"(browser) {
    const user = await newUser("Two Screens");
    const here = await signedIn(browser, {}, user.email, PASSWORD);
    const there = await signedIn(browser, {}, user.email, PASSWORD);
    const one = await there.context.newPage();
    // The machine may be busy with other tests at one moment: it is enough that it is so quick at one of three.
    const took = [];
    for (let round = 1; round <= 3 && took.every((millis) => millis > 2_000); round += 1) {
      const name = `Seen elsewhere ${round}`;
      const key = await newKey(user.id, { name, permissions: "inherit" });
      await there.page.goto(`${base}/api-keys`);
      await there.page.getByText(name).waitFor();
      await one.goto(`${base}/api-keys/${key.api_key.id}`);
      await api("POST", `/users/${user.id}/api-keys/${key.api_key.id}/rotate`, {});
      await one.locator("#family tbody tr").nth(1).waitFor();
      await there.page.getByText("rotated").waitFor();
      await here.page.goto(`${base}/api-keys/${key.api_key.id}/revoke`);
      await here.page.getByLabel("Type the name").fill(name);
      await here.page.getByRole("button", { name: "Revoke for ever" }).click();
      await here.page.getByText("No request with it is let through any more").waitFor();
      const returned = Date.now();
      await Promise.all([there.page.getByText("rotated").waitFor({ state: "detached" }), one.locator("#key .badge.revoked").waitFor()]);
      took.push(Date.now() - returned);
    }
    console.log(`   seen after ${took.join(", ")} ms`);
    assert.ok(took.some((millis) => millis <= 2_000), `seen after ${took.join(", ")} ms`);
    await Promise.all([here.done(), there.done()]);
  },

  async "a long list grows without losing its place"(browser) {
    const user = await newUser("A Hundred Keys");
    for (let number = 1; number <= 120; number += 1) {
      await newKey(user.id, { name: `Key ${String(number).padStart(3, "0")}`, permissions: "inherit" });
    }
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/api-keys`);
    const rows = page.locator("#list tbody tr");
    assert.equal(await rows.count(), 50);
    await page.getByRole("link", { name: "Show more" }).click();
    await rows.nth(99).waitFor();
    assert.match(await rows.nth(0).innerText(), /Key 120/);
    assert.match(await rows.nth(99).innerText(), /Key 021/);
    await rows.nth(80).scrollIntoViewIfNeeded();
    const scrolled = await page.evaluate(() => scrollY);
    // An edit elsewhere is put in, and the place in the list stays.
    await newKey(user.id, { name: "Key 121", permissions: "inherit" });
    await page.getByText("Key 121").waitFor();
    assert.equal(await rows.count(), 100);
    assert.ok(Math.abs((await page.evaluate(() => scrollY)) - scrolled) < 100);
    await page.reload();
    assert.equal(await rows.count(), 100, "the address keeps how far the list was read");
    await page.getByRole("link", { name: "Show more" }).click();
    await rows.nth(120).waitFor();
    assert.equal(await page.getByRole("link", { name: "Show more" }).count(), 0);
    await done();
  },
});
