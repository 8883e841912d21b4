// What the peers in JavaScript share: which of the keys the load asks with.

const { writeFileSync } = require("node:fs");

const ASKED = 20_000;

/// Writes the headers to ask with, taken evenly from all of them.
exports.writeHeaders = (directory, values) => {
  const asked = Math.min(ASKED, values.length);
  const chosen = Array.from({ length: asked }, (_, n) => values[Math.floor((n * values.length) / asked)]);
  writeFileSync(`${directory}/tokens`, chosen.join("\n") + "\n");
};
