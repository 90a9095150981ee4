// A partner's endpoint in JavaScript, by the published library of Standard Webhooks. A secret is a line on standard
// input; what it says is a line of JSON on standard output: where it listens, each secret that it has taken, and each
// delivery with the secrets, by their number, by which the library verifies it. With its first delivery it is out of
// order.
const http = require("node:http");
const readline = require("node:readline");
const { Webhook } = require(process.argv[2]);

const secrets = [];
let refuse = true;
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

function verifies(secret, body, headers) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

const server = http.createServer((request, response) => {
  if (request.method === "OPTIONS") {
    response.setHeader("WebHook-Allowed-Origin", request.headers["webhook-request-origin"]);
    response.end();
    return;
  }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString("utf8");
    const by = [...secrets.keys()].filter((i) => verifies(secrets[i], body, request.headers));
    const altered = secrets.some((secret) => verifies(secret, body + " ", request.headers) ||
      verifies(secret, body, { ...request.headers, "webhook-id": "another" }));
    response.statusCode = refuse ? 500 : by.length > 0 ? 204 : 401;
    refuse = false;
    say({ id: request.headers["webhook-id"], body, by, altered, status: response.statusCode });
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => say({ url: `http://127.0.0.1:${server.address().port}/` }));
readline.createInterface({ input: process.stdin })
  .on("line", (secret) => say({ secrets: secrets.push(secret) }))
  .on("close", () => process.exit(0));
