// The OpenFeature SDK for servers under Node, driven by lines of JSON: a question in, its details out.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.CLIENTS + "/");
const { OpenFeature } = require("@openfeature/server-sdk");
const { OFREPProvider } = require("@openfeature/ofrep-provider");

const provider = new OFREPProvider({
  baseUrl: process.env.OFREP_ENDPOINT,
  headers: process.env.KEY ? [["X-API-Key", process.env.KEY]] : [],
});
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const ask = {
  boolean: (q) => client.getBooleanDetails(q.key, q.default, q.context),
  string: (q) => client.getStringDetails(q.key, q.default, q.context),
  integer: (q) => client.getNumberDetails(q.key, q.default, q.context),
  float: (q) => client.getNumberDetails(q.key, q.default, q.context),
  object: (q) => client.getObjectDetails(q.key, q.default, q.context),
};
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(await ask[question.type](question)));
}
