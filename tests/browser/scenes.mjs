// The scenes, in their order: a company from the first run on.
import assert from "node:assert/strict";
import { launch, PASSWORD, Person, serve } from "./stage.mjs";

const [binary, ...words] = process.argv.slice(2);
const scenes = [];
const scene = (name, act) => scenes.push({ name, act });

// Made up, and not whole in a source line.
const PROVIDER_KEY = ["sk-ant", "made-up-for-the-browser"].join("-");

scene("the first run leads to a key and its lines", async ({ browser, server, shared }) => {
  const olga = await Person.enter(browser, server);
  assert.equal(await olga.open("/"), 200);
  assert.equal(olga.path(), "/sign-in");
  await olga.sees("Nobody has an account here yet");
  await olga.picture("sign-in-before-setup");
  await olga.open(`/setup?token=${server.token}`);
  await olga.picture("setup");
  const form = 'form[action="/setup"]';
  assert.equal(await olga.submit(form, { name: "olga", password: PASSWORD, again: "another one" }), 422);
  await olga.sees("Type the same password twice");
  assert.equal(await olga.page.$eval('[name="name"]', (it) => it.value), "olga", "what was typed is kept");
  assert.equal(await olga.page.$eval('[name="password"]', (it) => it.value), "", "but no secret");
  await olga.submit(form, { password: PASSWORD, again: PASSWORD });
  assert.equal(olga.path(), "/start");
  await olga.picture("start-1-provider");
  assert.equal(await olga.submit('form[action="/start/provider"]', { urls: "nonsense" }), 422);
  await olga.picture("start-1-mistake");
  await olga.submit('form[action="/start/provider"]', { urls: "https://api.anthropic.com", key: PROVIDER_KEY });
  await olga.sees("The provider is connected");
  await olga.picture("start-2-team");
  await olga.submit('form[action="/start/team"]', { name: "platform" });
  await olga.picture("start-3-key");
  const gateway = "https://gateway.company.com";
  assert.equal(await olga.submit('form[action="/start/key"]', { name: "anna", gateway }), 200);
  await olga.picture("start-4-issued");
  const key = await olga.page.$eval("#issued-key", (it) => it.textContent.trim());
  assert.match(key, /^gw-platform-\S{20,}$/);
  const lines = await olga.page.$eval("#issued-anthropic", (it) => it.textContent);
  assert.equal(lines, `export ANTHROPIC_BASE_URL=${gateway}\nexport ANTHROPIC_API_KEY=${key}`);
  await olga.open("/start");
  await olga.seesNot(key);
  await olga.send('form[action="/start/gateway"]');
  await olga.sees("airiskguard-gateway enroll", "Waiting.");
  await olga.picture("start-5-gateway");
  shared.key = key;
  await olga.leave();
});

scene("signing in and out, and a wrong password", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server);
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
});

scene("nobody is led to another site", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server);
  await olga.open("/sign-in?back=//evil.example/");
  await olga.submit('form[action="/sign-in"]', { name: "olga", password: PASSWORD });
  assert.equal(new URL(olga.page.url()).origin, server.url);
  await olga.leave();
});

scene("a keyboard is enough to sign in and to make a team", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server);
  await olga.open("/sign-in?back=/teams");
  const focused = () => olga.page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  assert.equal(await focused(), "name", "the first field has the focus");
  await olga.page.keyboard.type("olga");
  await olga.page.keyboard.press("Tab");
  await olga.page.keyboard.type(PASSWORD);
  await Promise.all([olga.page.waitForNavigation(), olga.page.keyboard.press("Enter")]);
  assert.equal(olga.path(), "/teams");
  await olga.page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await olga.picture("keyboard-skip");
  await olga.page.keyboard.press("Enter");
  for (let steps = 0; steps < 20 && (await focused()) !== "name"; steps += 1) await olga.page.keyboard.press("Tab");
  await olga.page.keyboard.type("research");
  await Promise.all([olga.page.waitForNavigation(), olga.page.keyboard.press("Enter")]);
  assert.equal(olga.path(), "/teams/research");
  await olga.leave();
});

scene("a team and a key: settings, a mistake, rotation, revocation", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server);
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
  assert.equal(await olga.page.$eval('[name="cost_per_day"]', (it) => it.value), "25.5");
  await olga.submit('form[action="/teams/red/keys"]', { name: "build", days: "30" });
  const key = await olga.page.$eval("#issued-key", (it) => it.textContent.trim());
  await olga.picture("team-issued");
  await olga.open("/teams/red");
  await olga.seesNot(key);
  const id = await olga.page.$eval('form[action$="/revoke"]', (it) => it.getAttribute("action").split("/").at(-2));
  await olga.page.$eval(`form[action="/teams/red/keys/${id}/rotate"]`, (it) => { it.closest("details").open = true; });
  await olga.picture("team-rotate");
  await olga.send(`form[action="/teams/red/keys/${id}/rotate"]`);
  assert.notEqual(await olga.page.$eval("#issued-key", (it) => it.textContent.trim()), key);
  await olga.open("/teams/red");
  await olga.confirm(`/teams/red/keys/${id}/revoke`);
  await olga.sees("Gateways refuse it within one poll", "revoked");
  await olga.picture("team");
  await olga.open("/teams");
  await olga.picture("teams");
  await olga.leave();
});

scene("a lead sees the own team only, a developer administers nothing", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server);
  await olga.signIn("olga");
  const people = [["lena", "team_lead", "red"], ["dora", "developer", "red"], ["aldo", "auditor", null]];
  for (const [name, role, team] of people) {
    await olga.open("/users");
    const form = 'form[action="/users"]';
    await olga.submit(form, { name, password: PASSWORD, roles: role, ...(team && { teams: team }) });
  }
  await olga.picture("users");
  await olga.page.click('a[href^="/users/"]');
  await olga.page.waitForSelector("fieldset");
  await olga.picture("user");
  await olga.leave();

  const lena = await Person.enter(browser, server);
  await lena.signIn("lena");
  await lena.open("/teams");
  await lena.sees("red");
  await lena.seesNot("platform", "Make a team", "Users", "Providers", "Gateways");
  assert.equal(await lena.open("/teams/platform"), 404);
  await lena.picture("not-found");
  assert.equal(await lena.open("/teams/red"), 200);
  await lena.submit('form[action="/teams/red/keys"]', { name: "dora" });
  await lena.sees("It is shown this once");
  for (const path of ["/users", "/providers", "/gateways", "/settings", "/start"]) {
    assert.equal(await lena.open(path), 403, path);
  }
  await lena.leave();

  const dora = await Person.enter(browser, server);
  await dora.signIn("dora");
  await dora.open("/teams");
  await dora.seesNot("Users", "Providers", "Gateways", "Policies", "Settings", "First steps", "Review");
  await dora.picture("developer");
  assert.equal(await dora.open("/users"), 403);
  await dora.sees("Not for you");
  await dora.picture("forbidden");
  await dora.open("/teams/red");
  assert.equal(await dora.page.$('form[action="/teams/red/keys"]'), null);
  await dora.leave();

  const aldo = await Person.enter(browser, server);
  await aldo.signIn("aldo");
  for (const path of ["/users", "/providers", "/gateways", "/settings", "/teams/red"]) {
    assert.equal(await aldo.open(path), 200, path);
    const forms = await aldo.page.$$eval("main form", (all) =>
      all.filter((it) => it.method === "post" && it.querySelector("button")).map((it) => it.action));
    assert.deepEqual(forms, [], `${path} offers an auditor nothing to change`);
  }
  await aldo.leave();
});

scene("an act of the past is on no page that another site could have written", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server);
  await olga.signIn("olga");
  await olga.open("/teams?said=%3Cb%3Ehello%3C/b%3E");
  await olga.seesNot("hello");
  await olga.leave();
});

scene("everything but live parts works without scripts", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server, { scripts: false });
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
  await olga.send('form[action="/sign-out"]');
  await olga.leave();
});

scene("light and dark, by the system and by hand", async ({ browser, server }) => {
  const olga = await Person.enter(browser, server, { dark: true });
  await olga.open("/sign-in");
  await olga.picture("dark-sign-in");
  await olga.signIn("olga");
  const ground = () => olga.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await ground(), "rgb(19, 20, 21)");
  for (const [path, name] of [["/teams/red", "team"], ["/start", "start"], ["/providers", "providers"]]) {
    await olga.open(path);
    await olga.picture(`dark-${name}`);
  }
  await olga.page.click("[data-theme-switch]");
  assert.equal(await ground(), "rgb(250, 250, 248)");
  await olga.open("/teams");
  assert.equal(await ground(), "rgb(250, 250, 248)", "the choice is kept");
  await olga.leave();
});

scene("every page draws without a complaint, wide and narrow", async ({ browser, server }) => {
  for (const wide of [1280, 390]) {
    const olga = await Person.enter(browser, server, { wide });
    await olga.signIn("olga");
    await olga.open("/teams");
    const paths = await olga.page.$$eval(".side nav a", (all) => all.map((it) => it.getAttribute("href")));
    assert.ok(paths.length >= 7, `${paths}`);
    for (const path of paths) {
      assert.equal(await olga.open(path), 200, path);
      const title = await olga.page.$$eval("h1", (all) => all.length);
      assert.equal(title, 1, `${path} has one heading`);
      const unnamed = await olga.page.$$eval("main input:not([type=hidden]), main select, main textarea", (all) =>
        all.filter((it) => !it.labels?.length && !it.getAttribute("aria-label")).map((it) => it.outerHTML));
      assert.deepEqual(unnamed, [], `${path}: every field has a label`);
      const twice = await olga.page.$$eval("[id]", (all) =>
        all.map((it) => it.id).filter((it, index, ids) => ids.indexOf(it) !== index));
      assert.deepEqual(twice, [], `${path}: ids are unique`);
      const styled = await olga.page.$$eval("[style]", (all) => all.length);
      assert.equal(styled, 0, `${path}: no style is written into the page`);
      const beyond = await olga.page.evaluate(() =>
        document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(beyond <= 0, `${path} is ${beyond} pixels wider than the window of ${wide}`);
      await olga.picture(`${wide > 500 ? "page" : "narrow"}-${path.slice(1).replaceAll("/", "-") || "overview"}`);
    }
    await olga.leave();
  }
});

let failed = 0;
const browser = await launch();
const server = await serve(binary);
const shared = {};
try {
  for (const { name, act } of scenes) {
    // Later scenes stand on what the first one made.
    if (words.length && name !== scenes[0].name && !words.some((word) => name.includes(word))) continue;
    try {
      await act({ browser, server, shared, binary });
      console.log(`ok    ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.stack}\n`);
      if (name === scenes[0].name) break;
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
console.log(failed ? `${failed} failed` : "all scenes hold");
process.exit(failed ? 1 : 0);
