// Attacks on the pages: markup in every name, addresses of others, headers, tokens that must be nowhere.

import { PASSWORD, api, assert, base, flows, newKey, newUser, open, server, signedIn, verify } from "./browser.mjs";

const MARKUP = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'";
const [clinic] = server.business_ids;

async function everyPage(known) {
  return [
    "/api-keys",
    "/api-keys?status=ended",
    `/api-keys?q=${encodeURIComponent(MARKUP)}`,
    "/api-keys/new",
    `/api-keys/${known.key}`,
    `/api-keys/${known.key}/edit`,
    `/api-keys/${known.key}/rotate`,
    `/api-keys/${known.key}/revoke`,
    `/api-keys/${known.key}/explain?ip_address=${encodeURIComponent(MARKUP)}`,
    "/usage",
    "/businesses",
    `/businesses/${known.business}`,
    `/businesses/${known.business}/roles`,
    `/businesses/${known.business}/roles/${known.role}`,
    `/businesses/${known.business}/settings`,
    `/businesses/${known.business}/api-keys`,
    `/businesses/${known.business}/usage`,
    `/businesses/${known.business}/members/${known.user}/remove`,
    "/audit-log",
    `/audit-log?target_id=${encodeURIComponent(MARKUP)}&from=${encodeURIComponent(MARKUP)}`,
    "/profile",
    `/users/${known.other}/api-keys/new`,
    "/platform/users",
    `/platform/users/${known.user}`,
    `/platform/users/${known.user}/disable`,
    "/platform/businesses",
    `/platform/businesses/${known.business}/disable`,
    "/platform/operator-keys",
    `/sign-in?next=${encodeURIComponent(MARKUP)}`,
    `/${encodeURIComponent(MARKUP)}`,
  ];
}

await flows({
  async "attack 42: markup in names is text on every page"(browser) {
    const admin = await newUser(MARKUP, { admin: true });
    const business = await api("POST", "/businesses", { name: MARKUP, owner_id: admin.id });
    const role = await api("POST", `/businesses/${business.id}/roles`, { name: MARKUP, permissions: ["calls:read"] });
    await api("POST", `/businesses/${business.id}/invitations`, { email: "x@example.com", role_id: role.id });
    const key = await newKey(admin.id, { name: MARKUP, permissions: "inherit", metadata: { note: MARKUP } });
    const gone = await newKey(admin.id, { name: MARKUP, permissions: "inherit" });
    await api("POST", `/users/${admin.id}/api-keys/${gone.api_key.id}/revoke`, { reason: MARKUP });
    await api("POST", "/operator-keys", { name: MARKUP, grants: ["keys:verify"] });
    await verify(key.token, {});
    const { page, done } = await signedIn(browser, {}, admin.email, PASSWORD);
    page.on("dialog", (dialog) => {
      throw new Error(`a script ran: ${dialog.message()}`);
    });
    const other = (await newUser(MARKUP)).id;
    const known = { other, key: key.api_key.id, business: business.id, role: role.id, user: admin.id };
    for (const path of await everyPage(known)) {
      await page.goto(`${base}${path}`);
      const found = await page.evaluate(() => document.querySelectorAll("main img[src='x'], main script, nav img[src='x'], title *").length);
      assert.equal(found, 0, path);
      assert.ok(!(await page.content()).includes("49'"), `${path}: a template in a name was filled`);
    }
    // A form that is refused shows what was written, as text.
    await page.goto(`${base}/businesses/new`);
    await page.getByLabel("Name").fill(MARKUP.repeat(3));
    await page.evaluate(() => document.getElementById("name").removeAttribute("maxlength"));
    await page.getByLabel("Name").fill(MARKUP.repeat(3));
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByText("Must be at most 100 characters.").waitFor();
    assert.equal(await page.getByLabel("Name").inputValue(), MARKUP.repeat(3));
    await done();
  },

  async "attack 25: the pages of others are not there, and say no more than those of nobody"(browser) {
    const victim = await newUser("Victim");
    const business = await api("POST", "/businesses", { name: "Private Practice", owner_id: victim.id });
    const role = await api("POST", `/businesses/${business.id}/roles`, { name: "Secret role", permissions: ["calls:read"] });
    const key = await newKey(victim.id, { name: "Private key", permissions: "inherit" });
    const thief = await newUser("Thief", { business: clinic });
    const { page, context, done } = await signedIn(browser, {}, thief.email, PASSWORD);
    const nothing = { key: "key_00000000000000000000000001", business: "biz_00000000000000000000000001", role: "rol_01m7xnw6qyew994zaseps0nyp6", user: "usr_00000000000000000000000001" };
    const theirs = { key: key.api_key.id, business: business.id, role: role.id, user: victim.id };
    const paths = ({ key, business, role, user }) => [
      `/api-keys/${key}`,
      `/api-keys/${key}/edit`,
      `/api-keys/${key}/rotate`,
      `/api-keys/${key}/revoke`,
      `/api-keys/${key}/explain`,
      `/users/${user}/api-keys`,
      `/users/${user}/api-keys/${key}`,
      `/businesses/${business}`,
      `/businesses/${business}/roles`,
      `/businesses/${business}/roles/${role}`,
      `/businesses/${business}/api-keys`,
      `/businesses/${business}/usage`,
      `/businesses/${business}/settings`,
      `/audit-log?of=${business}`,
      `/audit-log/export?of=${business}`,
    ];
    const said = [];
    for (const of of [theirs, nothing]) {
      const answers = [];
      for (const path of paths(of)) {
        const answer = await page.request.get(`${base}${path}`, { headers: { Accept: "text/html" } });
        assert.equal(answer.status(), 404, path);
        answers.push(await answer.text());
      }
      said.push(answers);
    }
    assert.deepEqual(said[0], said[1]);
    const session = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    for (const path of [`/api-keys/${theirs.key}/revoke`, `/api-keys/${theirs.key}/rotate`, `/api-keys/${theirs.key}/edit`, `/businesses/${theirs.business}/settings`, `/businesses/${theirs.business}`, `/users/${theirs.user}/api-keys/new`, `/users/${theirs.user}/api-keys/${theirs.key}/revoke`]) {
      const answer = await fetch(`${base}${path}`, {
        method: "POST",
        redirect: "manual",
        headers: { Cookie: session, Origin: base, "Content-Type": "application/x-www-form-urlencoded" },
        body: "confirm=Private+key&overlap_seconds=0&once=1&name=Mine&email=a%40b.example&role_id=owner",
      });
      assert.equal(answer.status, 404, path);
    }
    assert.equal((await verify(key.token)).code, "VALID");
    // A business of one's own whose key is another's.
    const foreign = await page.request.get(`${base}/businesses/${clinic}/roles/${role.id}`);
    assert.equal(foreign.status(), 404);
    await done();
  },

  async "every answer has its headers, and no page is kept"(browser) {
    const { page, context, done } = await signedIn(browser);
    const session = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    const key = (await api("GET", `/users/${server.user_id}/api-keys`))[0].id;
    const pages = ["/", "/api-keys", "/api-keys/new", `/api-keys/${key}`, "/usage", "/businesses", "/audit-log", "/profile", "/platform/users", "/reference", "/nothing-here", `/api-keys/key_00000000000000000000000001`, "/changes"];
    for (const cookie of [session, ""]) {
      for (const path of [...pages, "/sign-in", "/invitation", "/password"]) {
        const { headers } = await fetch(`${base}${path}`, { redirect: "manual", headers: { Cookie: cookie, Accept: "text/html" } });
        const policy = headers.get("content-security-policy") ?? "";
        assert.match(policy, /default-src 'none'/, path);
        assert.match(policy, /frame-ancestors 'none'/, path);
        assert.ok(!policy.includes("unsafe") && !policy.includes("*") && !policy.includes("http"), path);
        assert.equal(headers.get("x-frame-options"), "DENY", path);
        assert.equal(headers.get("x-content-type-options"), "nosniff", path);
        assert.equal(headers.get("referrer-policy"), "no-referrer", path);
        assert.equal(headers.get("cache-control"), "no-store", path);
      }
    }
    // No page stands in a frame.
    const frame = await context.newPage();
    await frame.goto("about:blank");
    const refused = frame.waitForEvent("requestfailed", (request) => request.url() === `${base}/api-keys`);
    await frame.setContent(`<iframe src="${base}/api-keys"></iframe>`);
    await refused;
    assert.equal(frame.frames().length, 2);
    assert.ok(!/Portcullis|API keys|Sign in/.test(await frame.frames()[1].locator("body").innerText()));
    await page.goto(`${base}/api-keys`);
    const inline = await page.evaluate(() =>
      [...document.querySelectorAll("[style], style, script:not([src]), [onclick], [onload]")].map((element) => element.outerHTML),
    );
    assert.deepEqual(inline, [], "nothing is inline");
    await context.close();
  },

  async "hostile forms are refused with a page, and never with a fault"(browser) {
    const { page, context, done } = await signedIn(browser);
    const session = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    const post = (path, body, type = "application/x-www-form-urlencoded") =>
      fetch(`${base}${path}`, { method: "POST", redirect: "manual", headers: { Cookie: session, Origin: base, "Content-Type": type }, body });
    const key = (await api("GET", `/users/${server.user_id}/api-keys`))[0].id;
    const paths = ["/api-keys/new", "/api-keys/new/summary", `/api-keys/${key}/edit`, `/api-keys/${key}/rotate`, `/api-keys/${key}/revoke`, "/businesses/new", `/businesses/${clinic}/settings`, `/businesses/${clinic}`, `/businesses/${clinic}/roles/new`, `/businesses/${clinic}/members/${server.user_id}`, "/profile", "/profile/password", "/platform/users", "/platform/operator-keys", "/platform/policy"];
    const bodies = [
      "",
      "%00",
      "name=%00&name=%ff%fe&expiry=99999999999999999999&date=9999-99-99&scope=only&businesses=x&permissions=x:y&grant=list&once=x&reviewed=1",
      "name=%E2%80%AEevil&expiry=-1&once=9223372036854775807-x&reviewed=1&grant=inherit",
      `name=a&expiry=9223372036854775807&once=${"1".repeat(400)}-a&reviewed=1&grant=inherit`,
      "longest_life_days=1e400&revoke_unused_days=99999999999999999999",
      "overlap_seconds=1e9&role_id=%3Cb%3E&email=%40&grants=keys%3Averify&grants=keys%3Averify",
      "&".repeat(5_000),
      "a=".repeat(2_000),
    ];
    for (const path of paths) {
      for (const body of bodies) {
        const answer = await post(path, body);
        assert.ok(answer.status < 500, `${path} ${body.slice(0, 60)}: ${answer.status}`);
        assert.ok([200, 303, 400, 403, 404, 409, 422].includes(answer.status), `${path} ${body.slice(0, 60)}: ${answer.status}`);
      }
      assert.equal((await post(path, "{}", "application/json")).status, 415, path);
      assert.equal((await post(path, "x".repeat(70_000))).status, 413, path);
    }
    for (const query of ["pages=-1", "pages=1e9", "cursor=AAAA", "status=x", "business_id=x", "window=x", `q=${"x".repeat(101)}`, "done=%3Cscript%3E"]) {
      for (const path of ["/api-keys", "/usage", "/audit-log", "/businesses", "/platform/users", `/api-keys/${key}`]) {
        const answer = await fetch(`${base}${path}?${query}`, { headers: { Cookie: session } });
        assert.ok(answer.status < 500, `${path}?${query}: ${answer.status}`);
      }
    }
    await page.goto(`${base}/api-keys`);
    await done();
  },

  async "an API key and an operator key open no page"(browser) {
    for (const token of [server.token, server.operator_token]) {
      for (const path of ["/api-keys", "/platform/users", "/profile"]) {
        const answer = await fetch(`${base}${path}`, { redirect: "manual", headers: { Authorization: `Bearer ${token}` } });
        assert.equal(answer.status, 403, path);
        assert.ok(!(await answer.text()).includes(token));
      }
    }
    const { done } = await open(browser);
    await done();
  },
});
