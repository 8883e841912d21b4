const { createServer } = require("node:http");
const { open } = require("./auth");

async function serve(directory, port, mode) {
  const auth = await open(directory, mode);
  const passes = async ({ headers }) => {
    const [scheme, key] = (headers.authorization ?? "").split(" ");
    return scheme === "Bearer" && key ? (await auth.api.verifyApiKey({ body: { key } })).valid : false;
  };
  const answer = async (request, response) => {
    response.statusCode = (await passes(request)) ? 204 : 401;
    response.end();
  };
  createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  }).listen(Number(port), "127.0.0.1");
}

const [directory, port, mode] = process.argv.slice(2);
serve(directory, port, mode);
