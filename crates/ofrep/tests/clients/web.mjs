// The OpenFeature SDK for browsers, under Node with an EventSource of the same interface. It keeps
// all flags and hears of changes; `{"type":"change"}` waits for the next one.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.CLIENTS + "/");
globalThis.EventSource = require("eventsource").EventSource;
const { OpenFeature, ProviderEvents } = require("@openfeature/web-sdk");
const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");

const changes = [];
let waiting = [];
const client = OpenFeature.getClient();
client.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
  changes.push({ changed: details.flagsChanged });
  waiting.forEach((wake) => wake());
  waiting = [];
});
await OpenFeature.setContext(JSON.parse(process.env.CONTEXT ?? "{}"));
const provider = new OFREPWebProvider({
  baseUrl: process.env.OFREP_ENDPOINT,
  headers: process.env.KEY ? [["X-API-Key", process.env.KEY]] : [],
  cacheMode: "disabled",
});
let failed = null;
await OpenFeature.setProviderAndWait(provider).catch((error) => { failed = String(error.message); });
const ask = {
  boolean: (q) => client.getBooleanDetails(q.key, q.default),
  string: (q) => client.getStringDetails(q.key, q.default),
  integer: (q) => client.getNumberDetails(q.key, q.default),
  float: (q) => client.getNumberDetails(q.key, q.default),
  object: (q) => client.getObjectDetails(q.key, q.default),
  state: () => ({ status: client.providerStatus, failed }),
  change: async () => {
    while (changes.length === 0) await new Promise((wake) => waiting.push(wake));
    return changes.shift();
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(await ask[question.type](question)));
}
process.exit(0);
