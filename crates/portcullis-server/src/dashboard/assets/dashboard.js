// Makes the pages quicker and kinder; each of them works without it. Nothing is kept in any storage of the browser.
"use strict";

document.documentElement.classList.add("scripts");

// A page looks every second whether anything was edited, and then asks for its parts anew; counts, which no edit tells of,
// less often. A hidden page does not ask, and what is asked by itself does not keep a session alive.
const LOOK_MILLIS = 1_000;
const COUNTS_MILLIS = 15_000;
const BY_ITSELF = { "X-Portcullis-By-Itself": "1" };

let known = document.body.dataset.mark;
let countsAt = Date.now();
// How many turns are let pass: who has to sign in again will not have done so a moment later.
let pause = 0;

function refresh(selector, event) {
  for (const part of document.querySelectorAll(selector)) {
    // Whoever is in the middle of a field keeps what they are typing.
    if (!part.querySelector("select:focus, input:focus, textarea:focus, details[open]")) {
      part.dispatchEvent(new CustomEvent(event));
    }
  }
}

async function look() {
  if (document.hidden || known === undefined) {
    return;
  }
  if (pause > 0) {
    pause -= 1;
    return;
  }
  const answer = await fetch("/changes", { headers: { ...BY_ITSELF, "HX-Request": "true" }, cache: "no-store" });
  document.getElementById("ended").hidden = answer.status !== 401;
  if (!answer.ok) {
    pause = 5;
    return;
  }
  const mark = await answer.text();
  const changed = mark !== known;
  known = mark;
  if (changed) {
    refresh("[data-live]", "changed");
  }
  if (Date.now() - countsAt >= COUNTS_MILLIS) {
    countsAt = Date.now();
    refresh("[data-live]", "changed");
    refresh("[data-live-slow]", "changed-slow");
  }
}

if (document.getElementById("ended") && document.querySelector(".me")) {
  setInterval(() => look().catch(() => {}), LOOK_MILLIS);
}

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.sourceEvent?.type?.startsWith("changed")) {
    Object.assign(ctx.request.headers, BY_ITSELF);
  }
});

document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  if (ctx.response.status === 401) {
    document.getElementById("ended").hidden = false;
  } else if ([403, 404].includes(ctx.response.status) && ctx.sourceElement.matches("[data-live], [data-live-slow]")) {
    document.getElementById("gone").hidden = false;
    ctx.sourceElement.remove();
  }
});

// The code of a one-time link stands behind a `#`; it goes into the field, and out of the address and the history.
const field = document.querySelector("[data-from-address]");
if (field && location.hash.length > 1) {
  field.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  const empty = [...field.form.querySelectorAll("input")].find((input) => input !== field && !input.value);
  empty?.focus();
}

// Back leads to the form, and not to the page that brought it.
const resumed = document.querySelector("[data-submit-now]");
if (resumed) {
  history.replaceState(null, "", new URL(resumed.action).pathname);
  resumed.requestSubmit();
}

// A choice that leads to another page is no filter of this one.
document.addEventListener(
  "input",
  (event) => {
    if (event.target.matches("[data-leads-on]")) {
      event.stopImmediatePropagation();
      event.target.form.submit();
    }
  },
  true,
);

// A form is sent once, however often its button is pressed. Coming back to the page, it can be sent again.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
    form.querySelector("button[type=submit]").setAttribute("aria-disabled", "true");
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("button[type=submit]").removeAttribute("aria-disabled");
  }
});

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (button.textContent = label), 2_500);
  });
}

// What is shown once: leaving asks first, and coming back to the page as the browser kept it does not bring it.
const once = document.querySelector("[data-shown-once]");
if (once) {
  // Back and reload lead to what was made, and not to the form that made it.
  history.replaceState(null, "", once.dataset.shownOnce);
  let stored = false;
  document.querySelector("[data-leave]")?.addEventListener("click", () => (stored = true));
  addEventListener("beforeunload", (event) => {
    if (!stored) {
      event.preventDefault();
    }
  });
  addEventListener("pagehide", () => {
    for (const secret of once.querySelectorAll("#token, #env, #link")) {
      secret.textContent = "shown once";
    }
  });
}

// Whatever a form was refused for is read first.
document.getElementById("problems")?.focus();
document.querySelector("[aria-invalid]")?.focus();
