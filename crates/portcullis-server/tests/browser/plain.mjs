// The main ways without JavaScript: everything is there, only slower.

import { PASSWORD, api, assert, base, flows, newUser, open, server, signedIn, text, verify } from "./browser.mjs";

const [clinic] = server.business_ids;
const PLAIN = { javaScriptEnabled: false };

await flows({
  async "a key is made, looked over, shown once, rotated and revoked"(browser) {
    const user = await newUser("Plain Reader", { business: clinic });
    const { page, done } = await signedIn(browser, PLAIN, user.email, PASSWORD);
    await page.getByRole("link", { name: "Create the first" }).click();
    await page.getByLabel("Name").fill("Made plainly");
    await page.getByRole("radio", { name: /Only these/ }).check();
    await page.getByRole("checkbox", { name: "Dental Clinic" }).check();
    await page.getByRole("checkbox", { name: "Read calls" }).check();
    await page.getByRole("button", { name: "Look it over" }).click();
    await page.getByText(/This key can read calls of Dental Clinic until/).waitFor();
    assert.equal((await api("GET", `/users/${user.id}/api-keys`)).length, 0, "nothing is made before it was looked over");
    await page.getByRole("button", { name: "Create API key" }).click();
    const token = (await page.locator("#token").innerText()).trim();
    assert.equal((await verify(token, { permission: "calls:read", business_id: clinic })).code, "VALID");
    // Reloading sends the form again, which makes no second key and shows no token.
    await page.reload();
    await page.getByRole("heading", { name: "This form was sent before" }).waitFor();
    assert.ok(!(await page.content()).includes(token));
    assert.equal((await api("GET", `/users/${user.id}/api-keys`)).length, 1);
    await page.getByRole("link", { name: "To the key" }).click();
    await page.getByRole("link", { name: "Rotate", exact: true }).click();
    await page.getByRole("button", { name: "Make the new token" }).click();
    const next = (await page.locator("#token").innerText()).trim();
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("link", { name: "Revoke", exact: true }).click();
    await page.getByLabel("Type the name").fill("Made plainly");
    await page.getByRole("button", { name: "Revoke for ever" }).click();
    await page.getByText("No request with it is let through any more").waitFor();
    assert.deepEqual([(await verify(next)).reason, (await verify(token)).code], ["revoked", "VALID"]);
    await done();
  },

  async "lists are filtered and grow, charts are drawn, keys are explained"(browser) {
    const { page, done } = await signedIn(browser, PLAIN);
    await page.getByRole("searchbox", { name: "Name" }).fill("quick");
    await page.getByRole("button", { name: "Filter" }).click();
    assert.equal(await page.locator("#list tbody tr").count(), 1);
    await page.getByRole("link", { name: "Quickstart", exact: true }).click();
    await verify(server.token, {});
    await page.reload();
    assert.ok((await page.locator("#chart rect").count()) > 0);
    await page.getByLabel("Permission").selectOption("calls:read");
    await page.getByRole("button", { name: "Explain" }).click();
    assert.match(await text(page), /VALID The request would be let through/);
    await page.getByRole("link", { name: "Audit log" }).first().click();
    await page.getByLabel("What").selectOption("user.created");
    await page.getByRole("button", { name: "Filter" }).click();
    assert.ok((await page.locator("#log tbody tr").count()) >= 1);
    await done();
  },

  async "an invitation and a session that ends in the middle of a form"(browser) {
    const invited = await api("POST", `/businesses/${clinic}/invitations`, { email: "plain@example.com", role_id: "viewer" });
    const { page, context, done } = await open(browser, PLAIN);
    await page.goto(invited.url);
    await page.getByLabel("Code of your link").fill(invited.url.split("#")[1]);
    await page.getByLabel("Your name").fill("Plain");
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByText("Welcome. You are a member now.").waitFor();
    await page.goto(`${base}/businesses/new`);
    await page.getByLabel("Name").fill("Kept over signing in");
    await context.clearCookies();
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByLabel("E-mail address").fill("plain@example.com");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Back to the form" }).click();
    assert.equal(await page.getByLabel("Name").inputValue(), "Kept over signing in");
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByText("The business is made.").waitFor();
    await done();
  },

  async "the menu opens on a narrow screen"(browser) {
    const { page, done } = await signedIn(browser, { ...PLAIN, viewport: { width: 360, height: 700 } });
    await page.getByText("Menu", { exact: true }).click();
    await page.getByRole("navigation", { name: "Menu" }).getByRole("link", { name: "Usage" }).click();
    await page.waitForURL(`${base}/usage`);
    await done();
  },
});
