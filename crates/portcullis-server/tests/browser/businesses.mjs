// Businesses, members and roles; usage; the audit log and its files.

import { PASSWORD, api, assert, base, flows, newKey, newUser, server, signedIn, text, verify } from "./browser.mjs";

await flows({
  async "a business is made, its members get roles, and leave"(browser) {
    const founder = await newUser("Founder");
    const helper = await newUser("Helper");
    const { page, done } = await signedIn(browser, {}, founder.email, PASSWORD);
    await page.goto(`${base}/businesses`);
    await page.getByText("You are in no business yet.").waitFor();
    await page.getByRole("link", { name: "New business" }).click();
    await page.getByLabel("Name").fill("Corner Bakery");
    await page.getByRole("button", { name: "Make it" }).dblclick();
    await page.getByText("The business is made. You are its owner.").waitFor();
    const business = new URL(page.url()).pathname.split("/")[2];
    assert.equal((await api("GET", `/businesses`)).filter(({ name }) => name === "Corner Bakery").length, 1);
    await api("PUT", `/businesses/${business}/members/${helper.id}`, { role_id: "viewer" });
    const key = await newKey(helper.id, { name: "Helper's", permissions: "inherit" });
    assert.equal((await verify(key.token, { permission: "calls:write", business_id: business })).code, "PERMISSION_DENIED");
    await page.locator(".strong", { hasText: "Helper" }).waitFor();
    await page.getByRole("link", { name: "Change role of Helper" }).click();
    await page.getByLabel("Role").selectOption({ label: "member" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The member has another role").waitFor();
    assert.equal((await verify(key.token, { permission: "calls:write", business_id: business })).code, "VALID");

    // The last owner stays one.
    await page.getByRole("link", { name: "Change role of Founder" }).click();
    await page.getByLabel("Role").selectOption({ label: "viewer" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").getByText("This is the business's last owner").waitFor();

    await page.goto(`${base}/businesses/${business}`);
    await page.getByRole("link", { name: "Remove Helper" }).click();
    await page.getByRole("link", { name: "See the keys of this person" }).click();
    await page.getByText("Helper's").waitFor();
    await page.goBack();
    const theirs = await signedIn(browser, {}, helper.email, PASSWORD);
    await theirs.page.goto(`${base}/businesses/${business}`);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByText("The membership has ended.").waitFor();
    await theirs.page.getByText("not there any more, or not yours to see").waitFor();
    assert.equal(await theirs.page.locator("#members").count(), 0, "what is not theirs to see is off the page");
    await theirs.done();
    assert.equal((await verify(key.token, { business_id: business })).reason, "business");

    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByLabel("Name").fill("Corner Bakery North");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "Corner Bakery North" }).waitFor();
    await done();
  },

  async "a role is shaped on the same grid, and keys follow it at once"(browser) {
    const owner = await newUser("Role Maker");
    const clerk = await newUser("Clerk");
    const founded = await api("POST", "/businesses", { name: "Role Shop", owner_id: owner.id });
    const { page, done } = await signedIn(browser, {}, owner.email, PASSWORD);
    await page.goto(`${base}/businesses/${founded.id}/roles`);
    await page.getByRole("link", { name: "New role" }).click();
    await page.getByLabel("Name").fill("Owner");
    await page.getByRole("checkbox", { name: "Read calls" }).check();
    await page.getByRole("checkbox", { name: /^Members/ }).check();
    await page.getByRole("button", { name: "Make the role" }).click();
    await page.getByText("Is the name of a built-in role.").waitFor();
    assert.ok(await page.getByRole("checkbox", { name: "Read calls" }).isChecked(), "nothing is lost");
    await page.getByLabel("Name").fill("Front desk");
    await page.getByRole("button", { name: "Make the role" }).click();
    await page.getByText("The role is made.").waitFor();
    const role = (await api("GET", `/businesses/${founded.id}/roles`)).find(({ name }) => name === "Front desk");
    assert.deepEqual([role.permissions, role.manages], [["calls:read"], ["members"]]);
    await api("PUT", `/businesses/${founded.id}/members/${clerk.id}`, { role_id: role.id });
    const key = await newKey(clerk.id, { name: "Clerk's", permissions: "inherit" });
    const may = async () => (await verify(key.token, { permission: "calls:read", business_id: founded.id })).valid;
    assert.ok(await may());
    await page.getByRole("link", { name: "Front desk" }).click();
    await page.getByRole("checkbox", { name: "Read calls" }).uncheck();
    await page.getByRole("checkbox", { name: "Read leads" }).check();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Every key of its members follows").waitFor();
    assert.ok(!(await may()));
    await page.getByRole("link", { name: "Front desk" }).click();
    await page.getByRole("button", { name: "Delete this role" }).click();
    await page.getByRole("alert").getByText("Members have this role").waitFor();
    await api("PUT", `/businesses/${founded.id}/members/${clerk.id}`, { role_id: "viewer" });
    await page.goto(`${base}/businesses/${founded.id}/roles/${role.id}`);
    await page.getByRole("button", { name: "Delete this role" }).click();
    await page.getByText("The role is deleted.").waitFor();
    await page.getByRole("link", { name: "viewer" }).click();
    assert.ok(await page.getByRole("checkbox", { name: "Write calls" }).isDisabled(), "a built-in role stays as it is");

    // Whoever may only look sees no buttons, and is refused by the addresses behind them.
    const looker = await signedIn(browser, {}, clerk.email, PASSWORD);
    await looker.page.goto(`${base}/businesses/${founded.id}/roles`);
    assert.equal(await looker.page.getByRole("link", { name: "New role" }).count(), 0);
    const refused = await looker.page.goto(`${base}/businesses/${founded.id}/roles/new`);
    assert.equal(refused.status(), 403);
    assert.match(await text(looker.page), /You may not do this/);
    await Promise.all([done(), looker.done()]);
  },

  async "usage shows the keys that are used most, and why calls were denied"(browser) {
    const user = await newUser("Heavy User", { business: server.business_ids[0] });
    const busy = await newKey(user.id, { name: "The busy one", permissions: ["calls:read"] });
    const quiet = await newKey(user.id, { name: "The quiet one", permissions: ["calls:read"] });
    for (let call = 0; call < 5; call += 1) {
      await verify(busy.token, { permission: call === 4 ? "calls:write" : "calls:read" });
    }
    await verify(quiet.token, {});
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    // The ranking is the database's, which hears of a count within a second or two.
    await page.waitForFunction(async (address) => {
      const answer = await fetch(address);
      return (await answer.text()).includes("The quiet one");
    }, `${base}/usage`, { polling: 300 });
    await page.goto(`${base}/usage`);
    assert.deepEqual(await page.locator(".tiles dd").allInnerTexts(), ["6", "1", "16.6 %"]);
    const top = await page.locator(".bars").first().locator("li").allInnerTexts();
    assert.match(top[0], /The busy one[\s\S]*5[\s\S]*1 denied/);
    assert.match(top[1], /The quiet one[\s\S]*1/);
    assert.match(await page.locator(".bars").nth(1).innerText(), /PERMISSION_DENIED/);
    for (const days of ["7 days", "30 days", "90 days", "A year"]) {
      await page.getByRole("link", { name: days }).click();
      await page.locator(".tiles", { hasText: "6" }).waitFor();
    }
    await page.getByLabel("In a business").selectOption({ label: "Dental Clinic" });
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("heading", { name: "What keys were used for in this business" }).waitFor();
    await done();
  },

  async "the audit log is filtered and exported; names in it are no formulas"(browser) {
    const user = await newUser("Formula Writer", { business: server.business_ids[0], role: "admin" });
    const key = await newKey(user.id, { name: "=HYPERLINK(\"http://evil\")", permissions: "inherit" });
    await api("POST", `/users/${user.id}/api-keys/${key.api_key.id}/revoke`, { reason: "over" });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/audit-log`);
    const lines = page.locator("#log tbody tr");
    const all = await lines.count();
    await page.getByLabel("What").selectOption("api_key.revoked");
    await page.waitForFunction((count) => document.querySelectorAll("#log tbody tr").length < count, all);
    assert.equal(await lines.count(), 1);
    assert.match(await lines.first().innerText(), /An operator key[\s\S]*API key revoked/);
    await page.getByLabel("What").selectOption("");
    await page.getByLabel("About (id)").fill(key.api_key.id);
    await page.waitForFunction(() => document.querySelectorAll("#log tbody tr").length === 2);
    await page.locator(`#export a[href*="${key.api_key.id}"]`).first().waitFor();
    for (const [name, check] of [
      ["Export CSV", (file) => assert.match(file, /^number,at,action[\s\S]*api_key\.created/)],
      // What is exported is what is shown, also when the filter was changed without loading the page anew.
      ["Export JSON lines", (file) => assert.deepEqual(file.trim().split("\n").map((line) => JSON.parse(line).target_id), [key.api_key.id, key.api_key.id])],
    ]) {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
      const chunks = [];
      for await (const chunk of await download.createReadStream()) {
        chunks.push(chunk);
      }
      check(Buffer.concat(chunks).toString());
    }
    await page.goto(`${base}/audit-log?from=not-a-day`);
    assert.match(await page.getByRole("alert").filter({ hasText: "from" }).innerText(), /RFC 3339/);
    // One's own log says nothing of others, and the log of a business takes a role that looks after it.
    const other = await newUser("Nobody There", { business: server.business_ids[0], role: "viewer" });
    const looker = await signedIn(browser, {}, other.email, PASSWORD);
    const refused = await looker.page.goto(`${base}/audit-log?of=${server.business_ids[0]}`);
    assert.equal(refused.status(), 403);
    await looker.page.goto(`${base}/audit-log?of=whole`);
    assert.ok(!(await text(looker.page)).includes("Formula"));
    await Promise.all([done(), looker.done()]);
  },
});
