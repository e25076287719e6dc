// client.js URL CA FILE...: sends each file as one request when a line comes on its input, and says how that went.
require("/work/node_modules/@anthropic-ai/sdk"); // by which it is known as an agent
const https = require("https"), fs = require("fs"), crypto = require("crypto");
const [, , url, ca, ...files] = process.argv;
const agent = new https.Agent({ ca: fs.readFileSync(ca), keepAlive: true });
const bodies = files.map((file) => fs.readFileSync(file));
const ask = (body) => new Promise((done, failed) => {
  const headers = { "Content-Type": "application/json", "Content-Length": body.length,
    Authorization: "Bearer sk-never-to-be-kept-0123456789" };
  const request = https.request(url, { method: "POST", agent, headers }, (answer) => {
    const hash = crypto.createHash("sha256");
    answer.on("data", (piece) => hash.update(piece));
    answer.on("end", () => done(hash.digest("hex")));
  });
  request.on("error", failed);
  request.end(body);
});
process.stdin.on("data", async () => {
  const found = [];
  for (const body of bodies) found.push(await ask(body));
  console.log(found.join(" "));
});
process.stdin.on("end", () => process.exit(0));
console.log("ready");
