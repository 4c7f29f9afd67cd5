// Runs the script of docs/samples/h5.html as DingTalk's client would, with a stub of its JavaScript.
//
//     node h5_page.mjs PAGE_FILE ADDRESS_OF_BELFRY CODE
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";

const [file, belfry, code] = process.argv.slice(2);
const script = readFileSync(file, "utf8").match(/<script>([\s\S]*)<\/script>/)[1];
const who = { textContent: "…" };
const href = `http://127.0.0.1/page?belfry=${encodeURIComponent(belfry)}#part`;
let configured;
const dd = {
  config: (given) => { configured = given; },
  ready: (done) => {
    const names = ["agentId", "corpId", "timeStamp", "nonceStr", "signature"];
    if (names.every((name) => configured?.[name])) done();
  },
  error: () => {},
  runtime: { permission: { requestAuthCode: async () => ({ code }) } },
};
runInNewContext(script, {
  dd, fetch, URLSearchParams, encodeURIComponent, JSON, Error, Promise,
  location: { href, search: new URL(href).search },
  document: { getElementById: () => who },
});
const end = Date.now() + 10_000;
while (who.textContent === "…" && Date.now() < end) await new Promise((done) => setTimeout(done, 10));
console.log(JSON.stringify({ who: who.textContent, configured }));
