// Coming in and going out: with a password, by links, by an invitation, after a session has ended, and from elsewhere.

import { API, PASSWORD, api, assert, base, flows, newUser, open, server, signIn, signedIn, text } from "./browser.mjs";

const [clinic] = server.business_ids;

const toSignIn = (page) => page.waitForURL((url) => url.pathname === "/sign-in");

await flows({
  async "a password lets in, a wrong one does not, and signing out ends it"(browser) {
    const { page, context, done } = await open(browser);
    await page.goto(`${base}/businesses?x=1`);
    await toSignIn(page);
    await page.getByLabel("E-mail address").fill(server.email);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("The e-mail address or the password is wrong.").waitFor();
    assert.equal(await page.getByLabel("E-mail address").inputValue(), server.email);
    await page.getByLabel("Password").fill(server.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${base}/businesses?x=1`);
    const [cookie] = await context.cookies();
    assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite], [true, true, "Lax"]);
    await page.getByRole("button", { name: "Sign out" }).click();
    await toSignIn(page);
    await page.goto(`${base}/api-keys`);
    await toSignIn(page);
    await done();
  },

  async "only places of this server are gone to after signing in"(browser) {
    for (const next of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
      const { page, done } = await open(browser);
      await page.goto(`${base}/sign-in?next=${encodeURIComponent(next)}`);
      await page.getByLabel("E-mail address").fill(server.email);
      await page.getByLabel("Password").fill(server.password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(`${base}/api-keys`);
      await done();
    }
  },

  async "a forgotten password is asked for without telling who has an account"(browser) {
    const { page, done } = await open(browser);
    const said = [];
    for (const email of [server.email, "nobody@example.com"]) {
      await page.goto(`${base}/sign-in`);
      await page.getByRole("link", { name: "Forgotten your password?" }).click();
      await page.getByLabel("E-mail address").fill(email);
      await page.getByRole("button", { name: "Make a link" }).click();
      await page.getByRole("status").waitFor();
      said.push(await text(page));
    }
    assert.equal(said[0], said[1]);
    await done();
  },

  async "a link sets a password, once, and its code is out of the address at once"(browser) {
    const user = await newUser("Link Reader");
    const { url } = await api("POST", `/users/${user.id}/password-links`, {});
    const { page, done } = await open(browser);
    await page.goto(url);
    assert.equal(page.url(), `${base}/password`);
    assert.equal(await page.getByLabel("Code of your link").inputValue(), url.split("#")[1]);
    await page.getByLabel("New password").fill("a new password for me");
    await page.getByRole("button", { name: "Set it and sign in" }).click();
    await page.getByText("Your password is changed.").waitFor();
    assert.ok(!(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))).includes("pl_live"));
    await page.goto(url);
    await page.getByLabel("New password").fill("a new password for me");
    await page.getByRole("button", { name: "Set it and sign in" }).click();
    await page.getByText("Is of a link that was used").waitFor();
    await done();
  },

  async "an invitation makes an account, and one who has an account signs in on the way"(browser) {
    const admin = await signedIn(browser);
    await admin.page.goto(`${base}/businesses/${clinic}`);
    await admin.page.getByLabel("E-mail address").fill("new.member@example.com");
    await admin.page.getByRole("button", { name: "Make an invitation" }).click();
    const link = (await admin.page.locator("#link").innerText()).trim();
    await admin.page.getByRole("link", { name: "I have copied it" }).click();
    await admin.page.getByRole("cell", { name: "new.member@example.com", exact: true }).waitFor();

    const { page, done } = await open(browser);
    await page.goto(link);
    await page.getByLabel("Your name").fill("New Member");
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByText("Welcome. You are a member now.").waitFor();
    await done();

    const known = await newUser("Known Already");
    await admin.page.getByLabel("E-mail address").fill(known.email);
    await admin.page.getByRole("button", { name: "Make an invitation" }).click();
    const second = (await admin.page.locator("#link").innerText()).trim();
    await admin.page.getByRole("link", { name: "I have copied it" }).click();
    await admin.done();

    const other = await open(browser);
    await other.page.goto(second);
    await other.page.getByRole("button", { name: "Join", exact: true }).click();
    await other.page.getByText("There is an account with this e-mail address.").waitFor();
    await other.page.getByLabel("E-mail address").fill(known.email);
    await other.page.getByLabel("Password").fill(PASSWORD);
    await other.page.getByRole("button", { name: "Sign in" }).click();
    await other.page.getByText(`You are signed in as ${known.email}`).waitFor();
    assert.equal(await other.page.getByLabel("Code of your link").inputValue(), second.split("#")[1]);
    await other.page.getByRole("button", { name: "Join", exact: true }).click();
    await other.page.getByText("Welcome. You are a member now.").waitFor();
    await other.done();
  },

  async "sessions are listed, ended one by one, and all at once"(browser) {
    const user = await newUser("Two Windows");
    const first = await signedIn(browser, {}, user.email, PASSWORD);
    const second = await signedIn(browser, {}, user.email, PASSWORD);
    await first.page.goto(`${base}/profile`);
    const others = first.page.getByRole("row").filter({ hasText: "Chrome on Linux" }).filter({ hasNotText: "this one" });
    const before = await others.count();
    await others.first().getByRole("button", { name: /End/ }).click();
    await first.page.getByText("The session has ended.").waitFor();
    assert.equal(await others.count(), before - 1);
    await second.page.goto(`${base}/api-keys`);
    await toSignIn(second.page);
    await signIn(second.page, user.email, PASSWORD);
    await first.page.getByRole("button", { name: "Sign out everywhere" }).click();
    await toSignIn(first.page);
    await second.page.goto(`${base}/api-keys`);
    await toSignIn(second.page);
    await Promise.all([first.done(), second.done()]);
  },

  async "a password is changed by one who knows it, and other sessions end"(browser) {
    const user = await newUser("Careful Person");
    const here = await signedIn(browser, {}, user.email, PASSWORD);
    const there = await signedIn(browser, {}, user.email, PASSWORD);
    const fill = async (current, next) => {
      await here.page.goto(`${base}/profile`);
      await here.page.getByLabel("Your password").fill(current);
      await here.page.getByLabel("New password").fill(next);
      await here.page.getByRole("button", { name: "Change the password" }).click();
    };
    await fill("not mine at all", "another good password");
    await here.page.getByText("Is not your password.").waitFor();
    await fill(PASSWORD, "another good password");
    await here.page.getByText("Your password is changed.").waitFor();
    await there.page.goto(`${base}/api-keys`);
    await toSignIn(there.page);
    await Promise.all([here.done(), there.done()]);
  },

  async "a session that ends in the middle of a form loses nothing"(browser) {
    const user = await newUser("In The Middle");
    const { page, context, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/api-keys/new`);
    await page.getByLabel("Name").fill("Half written <b>&\"quoted\"</b>");
    await page.getByRole("checkbox", { name: "User management" }).or(page.locator("[name=user_management]")).first().check();
    await page.getByLabel("Allowed addresses").fill("203.0.113.0/24\n198.51.100.7");
    await page.getByRole("radio", { name: /Same as mine/ }).check();
    await page.locator("#summary", { hasText: "whatever you may do yourself" }).waitFor();
    await context.clearCookies();
    await page.getByRole("button", { name: "Create API key" }).click();
    await page.getByText("What you have written is kept").waitFor();
    await page.getByLabel("E-mail address").fill(user.email);
    await page.getByLabel("Password").fill("a wrong one first");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${base}/api-keys/new`);
    assert.equal(await page.getByLabel("Name").inputValue(), "Half written <b>&\"quoted\"</b>");
    assert.equal(await page.getByLabel("Allowed addresses").inputValue(), "203.0.113.0/24\n198.51.100.7");
    assert.ok(await page.locator("[name=user_management]").isChecked());
    assert.ok(await page.getByRole("radio", { name: /Same as mine/ }).isChecked());
    const keys = await api("GET", `/users/${user.id}/api-keys`);
    assert.equal(keys.length, 0, "nothing was sent yet");
    await page.locator("#summary", { hasText: "whatever you may do yourself" }).waitFor();
    await page.getByRole("button", { name: "Create API key" }).click();
    await page.locator("#token").waitFor();
    await page.getByRole("link", { name: "I have stored it" }).click();
    await done();
  },

  async "a button that was pressed too late is not pressed again by signing in"(browser) {
    const user = await newUser("Too Late");
    const shop = await api("POST", "/businesses", { name: "Late Shop", owner_id: user.id });
    const role = await api("POST", `/businesses/${shop.id}/roles`, { name: "Kept", permissions: ["calls:read"] });
    const { page, context, done } = await signedIn(browser, {}, user.email, PASSWORD);
    for (const [path, button] of [[`/businesses/${shop.id}/roles/${role.id}`, "Delete this role"], ["/profile", "Sign out everywhere"]]) {
      await page.goto(`${base}${path}`);
      await context.clearCookies();
      await page.getByRole("button", { name: button }).click();
      await page.getByLabel("E-mail address").fill(user.email);
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.waitForURL(`${base}/api-keys`);
    }
    assert.ok((await api("GET", `/businesses/${shop.id}/roles`)).some(({ name }) => name === "Kept"));
    await done();
  },

  async "a business that is disabled signs nobody out"(browser) {
    const user = await newUser("Still In");
    const shop = await api("POST", "/businesses", { name: "Closed Shop", owner_id: user.id });
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/businesses/${shop.id}/api-keys`);
    await api("POST", `/businesses/${shop.id}/disable`, {});
    await page.getByText("not there any more, or not yours to see").waitFor();
    await page.goto(`${base}/businesses/${shop.id}/settings`);
    await page.goto(`${base}/profile`);
    await page.getByRole("heading", { name: "Profile" }).waitFor();
    await done();
  },

  async "an open page says that its session has ended"(browser) {
    const user = await newUser("Left Alone");
    const { page, done } = await signedIn(browser, {}, user.email, PASSWORD);
    await page.goto(`${base}/api-keys`);
    const asked = page.waitForResponse((answer) => answer.url() === `${base}/changes` && answer.status() === 403);
    await api("POST", `/users/${user.id}/disable`, {});
    // A disabled user is told so by the next page, also where the open one has asked by itself before.
    await asked;
    await page.goto(`${base}/api-keys`);
    assert.match(await text(page), /disabled/i);
    await done();

    const other = await newUser("Left Alone Too");
    const open = await signedIn(browser, {}, other.email, PASSWORD);
    await open.page.goto(`${base}/api-keys/new`);
    await open.page.getByLabel("Name").fill("Still here");
    await open.context.clearCookies();
    await open.page.locator("#ended").waitFor({ state: "visible" });
    assert.equal(await open.page.getByLabel("Name").inputValue(), "Still here");
    await open.done();
  },

  async "attack 40: no form of another site is taken"(browser) {
    const { page, context, done } = await signedIn(browser);
    const session = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    const send = (path, headers) =>
      fetch(`${base}${path}`, {
        method: "POST",
        redirect: "manual",
        headers: { Cookie: session, "Content-Type": "application/x-www-form-urlencoded", ...headers },
        body: "name=Stolen&confirm=Stolen&grant=inherit&scope=unrestricted&expiry=never&reviewed=yes&once=1",
      });
    for (const path of ["/api-keys/new", "/profile", "/sign-out", "/businesses/new", "/profile/sessions/end", "/sign-in"]) {
      for (const headers of [
        { Origin: "https://evil.example" },
        { Origin: "null" },
        { "Sec-Fetch-Site": "cross-site", Origin: base },
        { "Sec-Fetch-Site": "same-site" },
        {},
      ]) {
        const answer = await send(path, headers);
        assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`);
      }
    }
    // GET changes nothing, whatever it says.
    await page.goto(`${base}/api-keys/new?name=Stolen&reviewed=yes&grant=inherit`);
    const me = await fetch(`${API}/user`, { headers: { Cookie: session } });
    assert.equal((await me.json()).data.name, "Quickstart Owner");
    await done();
  },
});
