// A real OpenID Connect provider (npm `oidc-provider`) on a loopback port, for the tests of sign-in.
//
// Prints its port, reads the address of the policy server from its input, prints `ready`. `PUT /test/groups` says which
// groups somebody is in. It ends with its input.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const installed = createRequire(`${process.argv[2]}/package.json`);
const { Provider } = await import(pathToFileURL(installed.resolve("oidc-provider")));

const groups = new Map();
const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(server.address().port);

const lines = createInterface({ input: process.stdin });
lines.once("line", (policyServer) => {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "policy",
        client_secret: "made-up-for-tests",
        redirect_uris: [`${policyServer}/sign-in/oidc/callback`],
        post_logout_redirect_uris: [`${policyServer}/sign-in`],
      },
    ],
    claims: {
      openid: ["sub"],
      profile: ["preferred_username"],
      email: ["email", "email_verified"],
      groups: ["groups"],
    },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        preferred_username: id,
        email: `${id}@company.example`,
        email_verified: true,
        groups: groups.get(id) ?? [],
      }),
    }),
  });
  const handle = provider.callback();
  server.on("request", async (request, response) => {
    if (request.url !== "/test/groups") return handle(request, response);
    let body = "";
    for await (const chunk of request) body += chunk;
    const { user, groups: of } = JSON.parse(body);
    groups.set(user, of);
    response.end();
  });
  console.log("ready");
});
lines.once("close", () => process.exit(0));
