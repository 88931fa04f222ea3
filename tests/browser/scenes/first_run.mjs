// From an empty server to the first request on the page.
import assert from "node:assert/strict";
import { Person } from "../person.mjs";
import { PASSWORD, ask, enrol, until } from "../stage.mjs";

// Made up, and not whole in a source line.
const PROVIDER_KEY = ["sk-ant", "made-up-for-the-browser"].join("-");

async function firstRun(stage) {
  const { server, gateway, models, secrets } = stage;
  const olga = await Person.enter(stage);
  assert.equal(await olga.open("/"), 200);
  assert.equal(olga.path(), "/sign-in");
  await olga.sees("Nobody has an account here yet");
  await olga.picture("sign-in-before-setup");
  await olga.open(server.setup);
  await olga.picture("setup");
  const form = 'form[action="/setup"]';
  assert.equal(await olga.submit(form, { name: "olga", password: PASSWORD, again: "another one" }), 422);
  await olga.sees("Type the same password twice");
  assert.equal(await olga.value('[name="name"]'), "olga", "what was typed is kept");
  assert.equal(await olga.value('[name="password"]'), "", "but no secret");
  await olga.submit(form, { password: PASSWORD, again: PASSWORD });
  assert.equal(olga.path(), "/start");
  await olga.picture("start-1-provider");

  const provider = 'form[action="/start/provider"]';
  secrets.add(PROVIDER_KEY);
  assert.equal(await olga.submit(provider, { urls: "nonsense", key: PROVIDER_KEY }), 422);
  await olga.picture("start-1-mistake");
  await olga.submit(provider, { urls: models.url, key: PROVIDER_KEY });
  await olga.sees("The provider is connected");
  await olga.picture("start-2-team");
  await olga.submit('form[action="/start/team"]', { name: "platform" });
  await olga.picture("start-3-key");
  assert.equal(await olga.submit('form[action="/start/key"]', { name: "anna", gateway: gateway.url }), 200);
  await olga.picture("start-4-issued");
  const key = await olga.copy("issued-key");
  assert.match(key, /^gw-platform-\S{20,}$/);
  const lines = await olga.copy("issued-anthropic");
  assert.equal(lines, `export ANTHROPIC_BASE_URL=${gateway.url}\nexport ANTHROPIC_API_KEY=${key}`);
  secrets.add(key);
  await olga.open("/start");

  await olga.send('form[action="/start/gateway"]');
  await olga.sees("airiskguard-gateway enroll", "Waiting.");
  await olga.picture("start-5-gateway");
  const commands = await olga.copy("invitation");
  await enrol(stage.programs.gateway, gateway, commands);
  // The page is left as it is, and sees by itself what comes.
  const answer = await until(async () => {
    const answer = await ask(lines, "hello");
    return answer.status !== 529 && answer;
  }, () => `the gateway is never told what it runs on: ${gateway.log()}`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(JSON.parse(answer.text).content[0].text, "All is well.");
  assert.equal(models.seen.at(-1).headers["x-api-key"], PROVIDER_KEY, "the provider gets its own key");
  await olga.awaits("A request came through");
  await olga.picture("start-6-seen");
  await olga.follow(() => olga.page.click("#seen a"));
  await olga.sees("Nothing was found", "platform", "forwarded", "Tokens in");
  stage.lines = lines;

  // The token is spent, and the server says that it knows the gateway.
  const again = await enrol(stage.programs.gateway, { url: gateway.url }, commands).catch((error) => error);
  assert.match(`${again}`, /enrolling failed/);
  await olga.comesToSee("/gateways", "in step");
  await olga.picture("gateways");
  await olga.leave();
}

export default [["the first run leads to a key, its lines, a gateway and the first request", firstRun]];
