// The table of keys: what `prepare` fills and the server asks.

const { createHash } = require("node:crypto");
const Database = require("better-sqlite3");

exports.open = (directory) => {
  const database = new Database(`${directory}/keys.db`);
  database.pragma("journal_mode = WAL");
  return database;
};

exports.hash = (token) => createHash("sha256").update(token).digest();
