// The first start: nobody can sign in, and whoever sees the console begins.

import { PASSWORD, assert, base, flows, open, server, text } from "./browser.mjs";

await flows({
  async "the first user is made with the code from the console, and nobody after them"(browser) {
    const { page, done } = await open(browser);
    await page.goto(base);
    await page.waitForURL(`${base}/setup`);
    await page.getByLabel("One-time code").fill("AAAA-BBBB-CCCC-DDDD");
    await page.getByLabel("Your e-mail address").fill("first@example.com");
    await page.getByLabel("Your name").fill("First Person");
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Begin" }).click();
    await page.getByText("Is not the code that the server printed").waitFor();
    assert.equal(await page.getByLabel("Your name").inputValue(), "First Person");
    // As somebody types it who reads it off a screen.
    await page.getByLabel("One-time code").fill(` ${server.code.toLowerCase().replaceAll("-", " ")} `);
    await page.getByLabel("Your password").fill(PASSWORD);
    await page.getByRole("button", { name: "Begin" }).click();
    await page.getByText("Welcome. Your account is ready.").waitFor();
    assert.match(await text(page, "nav.side"), /First Person[\s\S]*/);
    assert.match(await text(page, "nav.side"), /Operator keys/);
    await done();

    const late = await open(browser);
    await late.page.goto(`${base}/setup`);
    await late.page.waitForURL(`${base}/sign-in`);
    const answer = await fetch(`${base}/setup`, {
      method: "POST",
      headers: { Origin: base, "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ code: server.code, email: "second@example.com", password: PASSWORD }),
    });
    assert.equal(answer.status, 422);
    await late.done();
  },
});
