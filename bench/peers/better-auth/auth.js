// better-auth with its plugin for API keys, in one of two modes.
//
// `default` is what its page on API keys says, with a limit that refuses nobody. `best` is the fastest that the page knows and that
// still hashes keys: they are in secondary storage, here this process's own memory; nothing is limited; what is written after a
// request is written behind the answer.

const { betterAuth } = require("better-auth");
const { apiKey } = require("@better-auth/api-key");
const Database = require("better-sqlite3");

const ROOMY = { enabled: true, timeWindow: 60_000, maxRequests: 1_000_000 };

const values = new Map();
const memory = {
  get: (key) => values.get(key) ?? null,
  set: (key, value) => void values.set(key, value),
  delete: (key) => void values.delete(key),
};

const options = (directory, mode) => {
  const database = new Database(`${directory}/auth.db`);
  // better-sqlite3 recommends it for speed; without it, each request waits for the disk several times.
  database.pragma("journal_mode = WAL");
  const shared = {
    database,
    baseURL: "http://127.0.0.1",
    secret: "a secret of a benchmark, which guards nothing",
    telemetry: { enabled: false },
    // A refused key is no news to the log.
    logger: { disabled: true },
  };
  if (mode === "default")
    return { ...shared, plugins: [apiKey({ rateLimit: ROOMY })] };
  return {
    ...shared,
    secondaryStorage: memory,
    advanced: { backgroundTasks: { handler: (task) => void task.catch(() => {}) } },
    plugins: [apiKey({ storage: "secondary-storage", rateLimit: { enabled: false }, deferUpdates: true })],
  };
};

exports.options = options;

/// The server's half of better-auth, with all keys where its mode looks for them.
exports.open = async (directory, mode) => {
  const settings = options(directory, mode);
  const auth = betterAuth(settings);
  if (mode === "best") await fill(auth, settings.database);
  return auth;
};

/// The keys of the database, each under the three names that the documents give it, in the form in which better-auth keeps its own.
async function fill(auth, database) {
  const { id } = await auth.api.createApiKey({ body: { userId: "nobody" } });
  const form = JSON.parse(values.get(`api-key:by-id:${id}`));
  values.clear();
  const owners = new Map();
  for (const row of database.prepare("SELECT id, key, start, referenceId FROM apikey").iterate()) {
    const text = JSON.stringify({ ...form, ...row });
    values.set(`api-key:${row.key}`, text);
    values.set(`api-key:by-id:${row.id}`, text);
    owners.set(row.referenceId, [...(owners.get(row.referenceId) ?? []), row.id]);
  }
  for (const [owner, ids] of owners) values.set(`api-key:by-ref:${owner}`, JSON.stringify(ids));
}
