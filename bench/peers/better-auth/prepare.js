const { randomBytes, randomInt } = require("node:crypto");
const { defaultKeyHasher } = require("@better-auth/api-key");
const { getMigrations } = require("better-auth/db/migration");
const { options, open } = require("./auth");
const { writeHeaders } = require("../peer");

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const KEYS_PER_OWNER = 10;

const random = (length) => Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join("");

/// One key is made by better-auth itself, and the others after it: it takes some milliseconds for each.
async function prepare(directory, count) {
  const settings = options(directory, "default");
  await (await getMigrations(settings)).runMigrations();
  const auth = await open(directory, "default");
  const made = await auth.api.createApiKey({ body: { userId: "user" } });
  const database = settings.database;
  const form = database.prepare("SELECT * FROM apikey WHERE id = ?").get(made.id);
  const columns = Object.keys(form);
  const values = columns.map((name) => `@${name}`);
  const insert = database.prepare(`INSERT INTO apikey (${columns.join(", ")}) VALUES (${values.join(", ")})`);
  const keys = Array.from({ length: count }, () => random(made.key.length));
  const hashes = [];
  for (const key of keys) hashes.push(await defaultKeyHasher(key));
  database.transaction(() => {
    database.prepare("DELETE FROM apikey").run();
    keys.forEach((key, n) => {
      const id = randomBytes(24).toString("base64url");
      const referenceId = `user${Math.floor(n / KEYS_PER_OWNER)}`;
      insert.run({ ...form, id, key: hashes[n], start: key.slice(0, form.start.length), referenceId });
    });
  })();
  writeHeaders(directory, keys.map((key) => `Bearer ${key}`));
}

const [directory, count] = process.argv.slice(2);
prepare(directory, Number(count));
