// Signing in with a password, teams and keys, and who may do what.
import assert from "node:assert/strict";
import { Person } from "../person.mjs";
import { PASSWORD } from "../stage.mjs";

async function inAndOut(stage) {
  const olga = await Person.enter(stage);
  await olga.open("/teams");
  assert.equal(olga.path(), "/sign-in");
  await olga.picture("sign-in");
  assert.equal(await olga.submit('form[action="/sign-in"]', { name: "olga", password: "wrong horse battery" }), 401);
  await olga.sees("Name or password is wrong");
  await olga.picture("sign-in-refused");
  await olga.submit('form[action="/sign-in"]', { password: PASSWORD });
  assert.equal(olga.path(), "/teams", "one is led back");
  await olga.send('form[action="/sign-out"]');
  await olga.sees("You are signed out");
  await olga.open("/teams");
  assert.equal(olga.path(), "/sign-in");
  await olga.leave();
}

async function nowhereElse(stage) {
  const olga = await Person.enter(stage);
  await olga.open("/sign-in?back=//evil.example/");
  await olga.submit('form[action="/sign-in"]', { name: "olga", password: PASSWORD });
  assert.ok(olga.isHere());
  await olga.open("/teams?said=%3Cb%3Ehello%3C/b%3E");
  await olga.seesNot("hello");
  await olga.leave();
}

async function keyboard(stage) {
  const olga = await Person.enter(stage);
  await olga.open("/sign-in?back=/teams");
  const focused = () => olga.page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  assert.equal(await focused(), "name", "the first field has the focus");
  await olga.page.keyboard.type("olga");
  await olga.press("Tab");
  await olga.page.keyboard.type(PASSWORD);
  await olga.follow(() => olga.press("Enter"));
  assert.equal(olga.path(), "/teams");
  await olga.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await olga.picture("keyboard-skip");
  await olga.press("Enter");
  await olga.tabTo('[name="name"]');
  await olga.page.keyboard.type("research");
  await olga.follow(() => olga.press("Enter"));
  assert.equal(olga.path(), "/teams/research");

  // A key, and its end: the question opens and closes, and nothing happens without an answer.
  const form = 'form[action="/teams/research/keys"]';
  await olga.tabTo(`${form} [name="name"]`);
  await olga.page.keyboard.type("notebook");
  await olga.tabTo(`${form} button`);
  await olga.follow(() => olga.press("Enter"));
  await olga.sees("It is shown this once");
  await olga.tabTo("summary.danger:not(.button)");
  await olga.press("Enter");
  await olga.page.waitForSelector('details[open] form[action$="/revoke"]');
  await olga.press("Escape");
  assert.equal(await olga.has("details[open]"), false);
  assert.equal(await focused(), "Revoke…", "the focus is where it was");
  await olga.press("Enter");
  await olga.tabTo('form[action$="/revoke"] button');
  await olga.follow(() => olga.press("Enter"));
  await olga.sees("The key is revoked");
  await olga.leave();
}

async function teamAndKey(stage) {
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  await olga.open("/teams");
  assert.equal(await olga.submit('form[action="/teams"]', { name: "no spaces" }), 422);
  await olga.sees("The name of a team has");
  await olga.picture("teams-mistake");
  await olga.submit('form[action="/teams"]', { name: "red", description: "Contractors" });
  assert.equal(olga.path(), "/teams/red");
  const settings = 'form[action="/teams/red"]';
  assert.equal(await olga.submit(settings, { cost_per_day: "much" }), 422);
  await olga.sees("is no number");
  await olga.submit(settings, { cost_per_day: "25.5", model_allowlist: "claude-haiku-4-5\nclaude-sonnet-*" });
  await olga.sees("settings are changed");
  assert.equal(await olga.value('[name="cost_per_day"]'), "25.5");
  await olga.submit('form[action="/teams/red/keys"]', { name: "build", days: "30" });
  const key = await olga.copy("issued-key");
  await olga.picture("team-issued");
  stage.secrets.add(key);
  await olga.open("/teams/red");
  const id = await olga.page.$eval('form[action$="/revoke"]', (it) => it.getAttribute("action").split("/").at(-2));
  const rotate = `form[action="/teams/red/keys/${id}/rotate"]`;
  await olga.unfold(rotate);
  await olga.picture("team-rotate");
  await olga.send(rotate);
  assert.notEqual(await olga.copy("issued-key"), key);
  await olga.open("/teams/red");
  await olga.confirm(`/teams/red/keys/${id}/revoke`);
  await olga.sees("Gateways refuse it within one poll", "revoked");
  await olga.picture("team");
  await olga.open("/teams");
  await olga.picture("teams");
  await olga.leave();
}

async function withoutScripts(stage) {
  const olga = await Person.enter(stage, { scripts: false });
  await olga.signIn("olga");
  await olga.open("/teams");
  await olga.submit('form[action="/teams"]', { name: "quiet" });
  assert.equal(olga.path(), "/teams/quiet");
  await olga.submit('form[action="/teams/quiet/keys"]', { name: "one" });
  await olga.sees("It is shown this once");
  await olga.open("/teams/quiet");
  const summaries = await olga.page.$$("details.sure > summary");
  for (const it of summaries) if ((await it.evaluate((it) => it.textContent)).includes("Revoke")) await it.click();
  await olga.send('form[action$="/revoke"]');
  await olga.sees("revoked");
  await olga.picture("without-scripts");
  // What is answered in place is a page of its own here.
  await olga.open("/policies/default");
  await olga.send('form[action="/policies/default"]', 'button[value="checks"]');
  await olga.sees("Gateways would take this text", "No difference");
  await olga.send('form[action="/sign-out"]');
  await olga.leave();
}

// What a browser of somebody else's role could send, with the permission it needs left out.
const WRITES = [
  "/teams", "/teams/red", "/teams/red/remove", "/teams/red/keys", "/users", "/providers", "/providers/anthropic",
  "/providers/anthropic/keys", "/providers/anthropic/remove", "/gateways", "/policies/default", "/policies/default/publish",
  "/policies/default/discard", "/policies/default/approve", "/policies/default/versions/1/roll-back", "/rules/company",
  "/rules/company/publish", "/sessions", "/quarantines/q-made-up/release", "/review/made-up", "/start/team",
  "/start/provider", "/start/key", "/start/gateway",
];

async function refused(person, paths) {
  for (const path of paths) assert.equal(await person.posts(path, { name: "sneaked" }), 403, path);
}

async function make(olga, name, role, team) {
  await olga.open("/users");
  await olga.submit('form[action="/users"]', { name, password: PASSWORD, roles: role, ...(team && { teams: team }) });
}

async function lead(stage) {
  const lena = await Person.enter(stage);
  await lena.signIn("lena");
  await lena.open("/teams");
  await lena.sees("red");
  await lena.seesNot("platform", "Make a team", "Users", "Providers", "Gateways");
  assert.equal(await lena.open("/teams/platform"), 404);
  await lena.picture("not-found");
  assert.equal(await lena.open("/teams/red"), 200);
  await lena.submit('form[action="/teams/red/keys"]', { name: "dora" });
  await lena.sees("It is shown this once");
  for (const path of ["/users", "/providers", "/gateways", "/settings", "/start", "/policies", "/verify"]) {
    assert.equal(await lena.open(path), 403, path);
  }
  await lena.open("/teams");
  const own = ["/teams/red/keys", "/sessions", "/quarantines/q-made-up/release", "/review/made-up", "/start/key"];
  await refused(lena, WRITES.filter((it) => !own.includes(it)));
  assert.equal(await lena.posts("/teams/platform/keys", { name: "sneaked" }), 404, "another team's key");
  await lena.leave();
}

async function developer(stage) {
  const dora = await Person.enter(stage);
  await dora.signIn("dora");
  await dora.open("/teams");
  await dora.seesNot("Users", "Providers", "Gateways", "Policies", "Settings", "First steps", "Review");
  await dora.picture("developer");
  for (const path of ["/users", "/providers", "/gateways", "/settings", "/start", "/policies", "/rules", "/verify", "/review"]) {
    assert.equal(await dora.open(path), 403, path);
  }
  await dora.open("/users");
  await dora.sees("Not for you");
  await dora.picture("forbidden");
  await dora.open("/teams/red");
  assert.equal(await dora.has('form[action="/teams/red/keys"]'), false);
  await refused(dora, WRITES);
  await dora.open("/live");
  await dora.sees("Nothing has come through yet");
  await dora.leave();
}

async function auditor(stage) {
  const aldo = await Person.enter(stage);
  await aldo.signIn("aldo");
  const paths = [
    "/", "/live", "/audit", "/sessions", "/users", "/providers", "/gateways", "/settings", "/teams", "/teams/red",
    "/policies", "/policies/default", "/rules",
  ];
  // Comparing a text with what is in force changes nothing.
  const harmless = ["/policies/default"];
  for (const path of paths) {
    assert.equal(await aldo.open(path), 200, path);
    const forms = await aldo.page.$$eval("main form", (all) =>
      all.filter((it) => it.method === "post" && it.querySelector("button")).map((it) => it.getAttribute("action")));
    assert.deepEqual(forms.filter((it) => !harmless.includes(it)), [], `${path} offers an auditor nothing to change`);
  }
  await aldo.open("/policies/default");
  await aldo.seesNot("Save the draft", "Publish");
  await aldo.picture("auditor-policy");
  await refused(aldo, WRITES);
  for (const path of ["/review", "/start"]) assert.equal(await aldo.open(path), 403, path);
  await aldo.leave();
}

async function roles(stage) {
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  for (const it of [["lena", "team_lead", "red"], ["dora", "developer", "red"], ["aldo", "auditor"]]) await make(olga, ...it);
  await olga.picture("users");
  await olga.follow(() => olga.page.click('a[href^="/users/"]'));
  await olga.page.waitForSelector("fieldset");
  await olga.picture("user");
  assert.equal(await olga.posts("/teams", { name: "sneaked" }, { token: false }), 403, "a form of another site has no token");

  await lead(stage);
  await developer(stage);
  await auditor(stage);
  await olga.open("/teams");
  await olga.seesNot("sneaked");
  await olga.open("/users");
  await olga.seesNot("sneaked");
  await olga.leave();
}

export default [
  ["signing in and out, and a wrong password", inAndOut],
  ["nobody is led to another site, and no other site puts words on a page", nowhereElse],
  ["a keyboard is enough to sign in, to make a team and a key, and to take it back", keyboard],
  ["a team and a key: settings, a mistake, rotation, revocation", teamAndKey],
  ["everything but live parts works without scripts", withoutScripts],
  ["roles: a lead has the own team only, a developer administers nothing, an auditor changes nothing", roles],
];
