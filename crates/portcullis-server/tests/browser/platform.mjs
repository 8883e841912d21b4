// What those who run the platform do: users, businesses, operator keys, the policy, the node.

import { API, PASSWORD, api, assert, base, flows, newKey, newUser, open, server, signIn, signedIn, text, verify } from "./browser.mjs";

await flows({
  async "a user is made, handed a link, disabled and enabled"(browser) {
    const { page, done } = await signedIn(browser);
    await page.goto(`${base}/platform/users`);
    await page.getByLabel("E-mail address").fill("grace@example.com");
    await page.getByLabel("Name", { exact: true }).fill("Grace");
    await page.getByRole("button", { name: "Make a user" }).click();
    await page.getByText("The user is made.").waitFor();
    const id = new URL(page.url()).pathname.split("/").pop();
    await page.getByRole("button", { name: "Make a link to a new password" }).click();
    const link = (await page.locator("#link").innerText()).trim();
    const theirs = await open(browser);
    await theirs.page.goto(link);
    await theirs.page.getByLabel("New password").fill(PASSWORD);
    await theirs.page.getByRole("button", { name: "Set it and sign in" }).click();
    await theirs.page.getByText("Your password is changed.").waitFor();

    await page.goto(`${base}/platform/users`);
    await page.getByLabel("E-mail address").fill("grace@example.com");
    await page.getByRole("button", { name: "Make a user" }).click();
    await page.getByRole("alert").getByText("Another user has this e-mail address.").waitFor();

    const key = await newKey(id, { name: "Grace's", permissions: "inherit" });
    await page.goto(`${base}/platform/users/${id}`);
    await page.getByRole("link", { name: "Disable" }).click();
    await page.getByLabel("Type it to confirm").fill("somebody else");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByText("Is not their e-mail address: nothing was done.").waitFor();
    assert.equal((await verify(key.token)).code, "VALID");
    await page.getByLabel("Type it to confirm").fill("grace@example.com");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByText("The user is disabled.").waitFor();
    assert.equal((await verify(key.token)).code, "USER_DISABLED");
    const refused = await theirs.page.goto(`${base}/api-keys`);
    assert.equal(refused.status(), 403);
    await theirs.page.goto(`${base}/api-keys`);
    assert.equal(new URL(theirs.page.url()).pathname, "/sign-in");
    await page.getByRole("link", { name: "Enable" }).click();
    await page.getByRole("button", { name: "Enable" }).click();
    await page.getByText("The user is enabled.").waitFor();
    assert.equal((await verify(key.token)).code, "VALID");

    await page.getByRole("link", { name: "API keys" }).last().click();
    await page.getByText("This is about the account of Grace, grace@example.com.").waitFor();
    await page.getByText("Grace's").click();
    await page.getByText("This is about the account of Grace, grace@example.com.").waitFor();
    await page.getByRole("heading", { name: "Grace's" }).waitFor();
    await theirs.done();
    await done();
  },

  async "a business is disabled for its name, and enabled"(browser) {
    const owner = await newUser("Shopkeeper");
    const shop = await api("POST", "/businesses", { name: "Flower Shop", owner_id: owner.id });
    const key = await newKey(owner.id, { name: "Flowers", permissions: "inherit" });
    const { page, done } = await signedIn(browser);
    await page.goto(`${base}/platform/businesses`);
    await page.getByRole("link", { name: "Disable Flower Shop" }).click();
    await page.getByLabel("Type it to confirm").fill("Flower");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByText("Is not its name: nothing was done.").waitFor();
    await page.getByLabel("Type it to confirm").fill("Flower Shop");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByText("The business is disabled.").waitFor();
    assert.equal((await verify(key.token, { business_id: shop.id })).code, "BUSINESS_DISABLED");
    await page.getByRole("link", { name: "Enable Flower Shop" }).click();
    await page.getByRole("button", { name: "Enable" }).click();
    await page.getByText("The business is enabled.").waitFor();
    assert.equal((await verify(key.token, { business_id: shop.id })).code, "VALID");
    await done();
  },

  async "an operator key is made, shown once, and revoked"(browser) {
    const { page, done } = await signedIn(browser);
    await page.goto(`${base}/platform/operator-keys`);
    await page.getByLabel("Name").fill("Gateway");
    await page.getByRole("button", { name: "Create operator key" }).click();
    await page.getByText("Must have at least one grant.").waitFor();
    await page.getByRole("checkbox", { name: /keys:verify/ }).check();
    await page.getByRole("button", { name: "Create operator key" }).click();
    await page.locator("#token").waitFor();
    const token = (await page.locator("#token").innerText()).trim();
    assert.equal((await verify(token).catch(() => ({ code: "refused" }))).code, "INVALID_API_KEY");
    const asks = (bearer) => fetch(`${API}/verify`, { method: "POST", headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json" }, body: JSON.stringify({ token: server.token }) });
    assert.equal((await asks(token)).status, 200);
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("link", { name: "Revoke Gateway" }).click();
    await page.getByLabel("Type it to confirm").fill("Gateway");
    await page.getByRole("button", { name: "Revoke for ever" }).click();
    await page.getByText("The operator key is revoked.").waitFor();
    assert.equal((await asks(token)).status, 401);
    await done();
  },

  async "a policy binds the form of a new key"(browser) {
    const { page, done } = await signedIn(browser);
    await page.goto(`${base}/platform/policy`);
    await page.getByLabel("Longest life, in days").fill("60");
    await page.getByRole("button", { name: "Set the policy" }).click();
    await page.getByText("The policy is set.").waitFor();
    await page.goto(`${base}/api-keys/new`);
    await page.getByLabel("Name").fill("Too long a life");
    await page.getByRole("radio", { name: /Same as mine/ }).check();
    await page.locator("#summary", { hasText: "whatever you may do yourself" }).waitFor();
    await page.getByRole("button", { name: "Create API key" }).click();
    await page.getByText("Must be at most 60 days from now").waitFor();
    await page.goto(`${base}/platform/policy`);
    await page.getByLabel("Longest life, in days").fill("");
    await page.getByRole("button", { name: "Set the policy" }).click();
    await page.getByText("The policy is set.").waitFor();
    await done();
  },

  async "the node says how it is, and the reference is in the same frame"(browser) {
    const { page, done } = await signedIn(browser);
    await page.goto(`${base}/platform/nodes`);
    assert.match(await text(page), /This node is ready\.[\s\S]*Keys in memory/);
    await page.getByRole("link", { name: "API reference" }).first().click();
    await page.locator(".opblock").first().waitFor();
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "API keys" }).click();
    await page.waitForURL(`${base}/api-keys`);
    await done();
  },

  async "whoever does not run the platform sees nothing of it"(browser) {
    const user = await newUser("Ordinary Person");
    const { page, done } = await open(browser);
    await signIn(page, user.email, PASSWORD);
    assert.equal(await page.getByText("Platform", { exact: true }).count(), 0);
    for (const path of ["users", `users/${server.user_id}`, "businesses", "operator-keys", "policy", "nodes"]) {
      const answer = await page.goto(`${base}/platform/${path}`);
      assert.ok([403, 404].includes(answer.status()), `${path}: ${answer.status()}`);
    }
    await done();
  },
});
