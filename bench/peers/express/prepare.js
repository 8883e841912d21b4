const { randomBytes } = require("node:crypto");
const { hash, open } = require("./keys");
const { writeHeaders } = require("../peer");

const [directory, count] = process.argv.slice(2);
const database = open(directory);
database.exec(`CREATE TABLE api_keys (
  hash BLOB PRIMARY KEY,
  owner TEXT NOT NULL,
  permissions TEXT NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) WITHOUT ROWID`);
const insert = database.prepare("INSERT INTO api_keys VALUES (?, ?, ?, NULL, NULL)");
const tokens = Array.from({ length: Number(count) }, () => `ak_${randomBytes(32).toString("base64url")}`);
database.transaction(() => tokens.forEach((token, n) => insert.run(hash(token), `user${n}`, "contacts:read")))();
writeHeaders(directory, tokens.map((token) => `Bearer ${token}`));
database.close();
