// A server as it looks after some weeks, as far as that can be had in a moment: people, businesses, keys, and calls.

import { api, newKey, newUser, server, verify } from "./browser.mjs";

const HOUR_MILLIS = 3_600_000;
const inDays = (days) => new Date(Date.now() + days * 24 * HOUR_MILLIS).toISOString();

/** Fills the server of a quickstart; answers with the ids that pages are reached by. */
export async function fill() {
  const owner = server.user_id;
  const [clinic, shop] = server.business_ids;
  const ann = await newUser("Ann Meyer", { business: clinic, role: "admin" });
  const bob = await newUser("Bob Okafor", { business: clinic, role: "viewer" });
  await newUser("Chiara Rossi", { business: shop, role: "owner" });
  const role = await api("POST", `/businesses/${clinic}/roles`, {
    name: "Front desk",
    permissions: ["calls:read", "contacts:read", "contacts:write"],
    manages: ["members"],
  });
  await api("POST", `/businesses/${clinic}/invitations`, { email: "dora@example.com", role_id: "member" });
  const make = async (wanted, user = owner) => newKey(user, wanted);
  const zapier = await make({
    name: "Zapier Integration - Dental Clinic",
    business_scope: { only: [clinic] },
    permissions: ["calls:read", "contacts:read", "contacts:write"],
    expires_at: inDays(75),
    allowed_ips: ["203.0.113.0/24"],
    metadata: { plan: "pro", ticket: "OPS-118" },
  });
  const backend = await make({ name: "Production Backend", permissions: "inherit" });
  const crm = await make({
    name: "CRM Integration",
    permissions: ["leads:read", "leads:write", "contacts:read"],
    business_scope: { only: [clinic, shop] },
    expires_at: inDays(9),
  });
  const nightly = await make({ name: "Nightly export", permissions: ["analytics:read"], environment: "test" });
  const old = await make({ name: "Old laptop", permissions: ["calls:read"] });
  const leaked = await make({ name: "Contractor, spring", permissions: ["knowledge_base:read"] });
  await make({ name: "Ann’s script", permissions: ["calls:read"], business_scope: { only: [clinic] } }, ann.id);
  const ask = async (key, count, rest) => {
    for (let call = 0; call < count; call += 1) {
      await verify(key.token, rest);
    }
  };
  await ask(backend, 120, { permission: "calls:read", ip_address: "198.51.100.20" });
  await ask(backend, 6, { permission: "leads:write", business_id: "biz_00000000000000000000000001" });
  await ask(zapier, 44, { permission: "contacts:read", business_id: clinic, ip_address: "203.0.113.9" });
  await ask(zapier, 9, { permission: "leads:read", business_id: clinic, ip_address: "203.0.113.9" });
  await ask(crm, 31, { permission: "leads:write", business_id: shop });
  await ask(old, 3, {});
  await api("POST", `/users/${owner}/api-keys/${old.api_key.id}/revoke`, { reason: "The laptop was sold" });
  await ask(old, 5, {});
  await api("POST", `/users/${owner}/api-keys/${leaked.api_key.id}/revoke`, { reason: "The contract has ended" });
  const rotated = await api("POST", `/users/${owner}/api-keys/${backend.api_key.id}/rotate`, {});
  await ask(rotated, 58, { permission: "calls:read", ip_address: "198.51.100.20" });
  return { owner, clinic, shop, ann, bob, role: role.id, zapier: zapier.api_key.id, backend: rotated.api_key.id, crm: crm.api_key.id, nightly: nightly.api_key.id, quickstart: server.api_key_id };
}
