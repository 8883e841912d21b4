const express = require("express");
const { hash, open } = require("./keys");

const [directory, port] = process.argv.slice(2);
const find = open(directory).prepare("SELECT owner, permissions, expires_at, revoked_at FROM api_keys WHERE hash = ?");

function keyOf(request) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  const key = scheme === "Bearer" && token ? find.get(hash(token)) : undefined;
  const passes = key && key.revoked_at === null && (key.expires_at === null || key.expires_at > Date.now());
  return passes ? key : undefined;
}

function requireKey(request, response, next) {
  request.key = keyOf(request);
  if (!request.key) return response.status(401).set("WWW-Authenticate", "Bearer").end();
  next();
}

const app = express();
app.disable("x-powered-by");
app.get("/check", requireKey, (_request, response) => response.status(204).end());
app.listen(Number(port), "127.0.0.1");
