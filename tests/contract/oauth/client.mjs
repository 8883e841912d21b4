// Asks Portcullis about tokens as any OAuth client would, with two that know nothing of it: oauth4webapi and openid-client.
//
//   PORTCULLIS_URL=http://127.0.0.1:7373 OPERATOR_ID=opk_… OPERATOR_TOKEN=op_live_… \
//   GOOD_TOKEN=ak_live_… REVOKED_TOKEN=ak_live_… TO_REVOKE_TOKEN=ak_live_… node client.mjs
//
// The operator key has the grants keys:verify and keys:write. TO_REVOKE_TOKEN is a token of another live key, and is revoked.
// One line of JSON on standard output says what was seen.

import * as oauth from "oauth4webapi";
import * as openid from "openid-client";

const NAMES = ["PORTCULLIS_URL", "OPERATOR_ID", "OPERATOR_TOKEN", "GOOD_TOKEN", "REVOKED_TOKEN", "TO_REVOKE_TOKEN"];
const LONGEST_ANSWER_SECONDS = 30;
const CLOCK_SECONDS = 2;
const TIMEOUT_SECONDS = 10;
// Well formed or not, nobody has these; the last one would be a second parameter if somebody forgot to encode it.
const UNKNOWN_TOKENS = ["ak_live_0000000000000000000000000000000000000000", "nonsense", "a b+c%2Bé", "x&token=y"];

function check(held, what) {
  if (!held) throw new Error(what);
}

function text(value) {
  return typeof value === "string" && value !== "";
}

/** Tells `{"active": false}` from everything that says more: why a token is refused is nobody's business here. */
function refused(answer, what) {
  check(JSON.stringify(answer) === '{"active":false}', `${what}: wanted {"active":false}, got members ${Object.keys(answer)}`);
}

function accepted(answer, issuer, what) {
  check(answer.active === true, `${what}: the token is not active`);
  for (const member of ["scope", "client_id", "username", "sub", "jti", "iss", "token_type"]) {
    check(text(answer[member]) || (member === "scope" && answer.scope === ""), `${what}: ${member} is no text`);
  }
  check(answer.token_type === "Bearer", `${what}: the token_type is ${answer.token_type}`);
  check(answer.client_id.startsWith("key_"), `${what}: the client_id is ${answer.client_id}`);
  check(answer.jti === answer.client_id, `${what}: the jti is ${answer.jti}`);
  check(answer.sub.startsWith("usr_"), `${what}: the sub is ${answer.sub}`);
  check(answer.iss === issuer, `${what}: the iss is ${answer.iss}, the issuer ${issuer}`);
  check(
    answer.scope.split(" ").every((permission) => /^[a-z0-9_]+:(read|write)$/.test(permission)) || answer.scope === "",
    `${what}: the scope is ${JSON.stringify(answer.scope)}`,
  );
  const now = Date.now() / 1000;
  check(Number.isInteger(answer.iat) && answer.iat <= now + CLOCK_SECONDS, `${what}: the iat is ${answer.iat}`);
  // A client that keeps the answer keeps it until then: a revoked key must not live on for longer.
  check(
    Number.isInteger(answer.exp) && answer.exp > now - CLOCK_SECONDS && answer.exp <= now + LONGEST_ANSWER_SECONDS + CLOCK_SECONDS,
    `${what}: the exp is ${answer.exp}, now is ${Math.floor(now)}`,
  );
  check(
    answer.businesses === "*" || (Array.isArray(answer.businesses) && answer.businesses.every((id) => /^biz_/.test(id))),
    `${what}: the businesses are ${JSON.stringify(answer.businesses)}`,
  );
  check(
    answer.key_expires_at === undefined || !Number.isNaN(Date.parse(answer.key_expires_at)),
    `${what}: key_expires_at is ${answer.key_expires_at}`,
  );
}

function described(as, base) {
  check(as.issuer === base, `the issuer is ${as.issuer}, not ${base}`);
  check(as.introspection_endpoint === `${base}/oauth2/introspect`, `the introspection_endpoint is ${as.introspection_endpoint}`);
  check(as.revocation_endpoint === `${base}/oauth2/revoke`, `the revocation_endpoint is ${as.revocation_endpoint}`);
  for (const member of ["introspection_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported"]) {
    check(as[member]?.includes("client_secret_basic"), `${member} is ${JSON.stringify(as[member])}`);
  }
  // Nobody gets a token by OAuth here: keys are made in the dashboard and by the API.
  for (const member of ["response_types_supported", "grant_types_supported"]) {
    check(JSON.stringify(as[member]) === "[]", `${member} is ${JSON.stringify(as[member])}`);
  }
  check(text(as.service_documentation), "there is no service_documentation");
}

/** What goes over the wire, for what a library does not look at, or hides. */
async function watched(url, options) {
  const response = await fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000) });
  const path = new URL(url).pathname;
  if (path === "/oauth2/introspect" && response.status === 200) {
    const type = response.headers.get("content-type");
    check(/^application\/json(;|$)/.test(type ?? ""), `an introspection is of type ${type}`);
    check(/\bno-store\b/.test(response.headers.get("cache-control") ?? ""), "an introspection may be kept by caches");
  }
  if (path === "/oauth2/revoke" && response.status === 200) {
    check((await response.clone().text()) === "", "a revocation answers with a body");
  }
  return response;
}

const insecure = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: watched };

/** `http` is for tests on one machine: both libraries refuse it unless told otherwise. */
async function withOauth4webapi(env) {
  const issuer = new URL(env.PORTCULLIS_URL);
  const response = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
  const as = await oauth.processDiscoveryResponse(issuer, response);
  described(as, env.PORTCULLIS_URL);
  const client = { client_id: env.OPERATOR_ID };
  const basic = oauth.ClientSecretBasic(env.OPERATOR_TOKEN);
  const introspect = async (token, authentication = basic) =>
    oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, authentication, token, insecure));

  accepted(await introspect(env.GOOD_TOKEN), as.issuer, "the good token");
  refused(await introspect(env.REVOKED_TOKEN), "the revoked token");
  for (const token of UNKNOWN_TOKENS) refused(await introspect(token), `the token ${JSON.stringify(token)}`);
  // An operator's token opens the platform and no API: it is not for a gateway to accept.
  refused(await introspect(env.OPERATOR_TOKEN), "the operator's own token");

  // Not every client makes Basic as RFC 6749 has it; and a caller may send a Bearer token instead.
  const unencoded = btoa(`${env.OPERATOR_ID}:${env.OPERATOR_TOKEN}`);
  for (const [what, value] of [["Basic without encoding", `Basic ${unencoded}`], ["Bearer", `Bearer ${env.OPERATOR_TOKEN}`]]) {
    const answer = await introspect(env.GOOD_TOKEN, (_as, _client, _body, headers) => headers.set("authorization", value));
    accepted(answer, as.issuer, `the good token, asked with ${what}`);
  }
  return { introspect, oauth_encodes: await encoding(as, client) };
}

/** Whether the library percent-encodes both halves of Basic: the server must take both. */
async function encoding(as, client) {
  const headers = new Headers();
  await oauth.ClientSecretBasic("op_live_x")(as, client, new URLSearchParams(), headers);
  return atob(headers.get("authorization").slice("Basic ".length)).includes("op%5Flive%5Fx");
}

/** Whoever may not ask must not learn that a token is no good: it is the caller who is refused. */
async function strangers(env, introspect) {
  const statuses = {};
  const other = `${env.OPERATOR_TOKEN.slice(0, -1)}${env.OPERATOR_TOKEN.endsWith("0") ? "1" : "0"}`;
  const callers = {
    wrong_token: oauth.ClientSecretBasic(other),
    api_key: (_as, _client, _body, headers) => headers.set("authorization", `Bearer ${env.GOOD_TOKEN}`),
    nobody: oauth.None(),
  };
  for (const [caller, authentication] of Object.entries(callers)) {
    try {
      await introspect(env.GOOD_TOKEN, authentication);
    } catch (error) {
      // With a challenge it is one error of the library, and without one it is another, which would not say the status.
      check(error instanceof oauth.WWWAuthenticateChallengeError, `asked as ${caller}: ${error.message}`);
      statuses[caller] = error.status;
      check(error.status === 401, `asked as ${caller}: the status is ${error.status}, not 401`);
    }
    check(statuses[caller], `asked as ${caller}: there is an answer`);
  }
  return statuses;
}

async function withOpenidClient(env) {
  const client = await openid.discovery(
    new URL(env.PORTCULLIS_URL),
    env.OPERATOR_ID,
    undefined,
    openid.ClientSecretBasic(env.OPERATOR_TOKEN),
    { algorithm: "oauth2", timeout: TIMEOUT_SECONDS, execute: [openid.allowInsecureRequests], [openid.customFetch]: watched },
  );
  const issuer = client.serverMetadata().issuer;
  const hint = { token_type_hint: "access_token" };
  accepted(await openid.tokenIntrospection(client, env.GOOD_TOKEN, hint), issuer, "openid-client: the good token");
  refused(await openid.tokenIntrospection(client, env.REVOKED_TOKEN, hint), "openid-client: the revoked token");

  accepted(await openid.tokenIntrospection(client, env.TO_REVOKE_TOKEN), issuer, "the token to revoke");
  await openid.tokenRevocation(client, env.TO_REVOKE_TOKEN, hint);
  refused(await openid.tokenIntrospection(client, env.TO_REVOKE_TOKEN), "the token after its revocation");
  // To revoke what is revoked, or what nobody has, is as good as done.
  await openid.tokenRevocation(client, env.TO_REVOKE_TOKEN);
  await openid.tokenRevocation(client, UNKNOWN_TOKENS[0]);
  accepted(await openid.tokenIntrospection(client, env.GOOD_TOKEN), issuer, "the good token, after another was revoked");
}

try {
  const missing = NAMES.filter((name) => !process.env[name]);
  check(missing.length === 0, `${missing.join(", ")} must be set`);
  const env = { ...process.env, PORTCULLIS_URL: process.env.PORTCULLIS_URL.replace(/\/$/, "") };
  const { introspect, oauth_encodes } = await withOauth4webapi(env);
  const caller_refused = await strangers(env, introspect);
  await withOpenidClient(env);
  const seen = { ok: true, discovered: true, good: "active", revoked: "inactive", unknown: "inactive", revocation: "immediate" };
  console.log(JSON.stringify({ ...seen, caller_refused, basic_is_percent_encoded: oauth_encodes }));
} catch (error) {
  const cause = error.cause?.message ? ` (${error.cause.message})` : "";
  console.error(`FAILED: ${error.message}${cause}`);
  process.exitCode = 1;
}
