// Through the pages of a real identity provider, and out again.
import assert from "node:assert/strict";
import { Person } from "../person.mjs";
import { PASSWORD, signOn } from "../stage.mjs";

const settings = (issuer) => `oidc:
  issuer: ${issuer}
  client_id: policy
  client_secret: made-up-for-tests
  name: Company
  scopes: [profile, email, groups]
  groups:
    audit: {roles: [auditor]}
    red-leads: {roles: [team_lead], teams: [red]}
`;

// Signs in on the provider's page, agrees on its next one, and is back.
async function through(person, user) {
  await person.follow(() => person.page.click("a.button.primary"));
  assert.equal(person.isHere(), false, "this is the provider's page");
  await person.page.type('[name="login"]', user);
  await person.page.type('[name="password"]', "anything");
  await person.follow(() => person.page.click('button[type="submit"]'));
  await person.page.waitForSelector('[name="prompt"][value="consent"]');
  return person.follow(() => person.page.click('button[type="submit"]'));
}

async function setUp(stage) {
  const olga = await Person.enter(stage);
  await olga.open(stage.server.setup);
  await olga.submit('form[action="/setup"]', { name: "olga", password: PASSWORD, again: PASSWORD });
  for (const name of ["red", "blue"]) {
    await olga.open("/teams");
    await olga.submit('form[action="/teams"]', { name });
  }
  return olga;
}

async function byGroups({ browser, programs }) {
  const identities = await signOn(programs.server, settings);
  const stage = { browser, server: identities };
  try {
    const olga = await setUp(stage);
    await strangers(stage, identities);
    await identities.groups("anna", "audit");
    const anna = await Person.enter(stage);
    await anna.open("/audit");
    assert.equal(anna.path(), "/sign-in");
    assert.equal(await anna.has('[name="password"]'), false, "names and passwords let nobody in beside a provider");
    await anna.picture("sign-in-company");
    await through(anna, "anna");
    assert.ok(anna.isHere() && anna.path() === "/audit", "one is led back to where one wanted to go");
    await anna.sees("anna", "auditor", "Settings");
    assert.equal(await anna.open("/start"), 403);

    await olga.open("/users");
    await olga.sees("anna", "anna@company.example", "auditor");
    await olga.picture("users-company");

    // Out here, and at the provider; the next time it asks who is there.
    await anna.open("/");
    await anna.send('form[action="/sign-out"]');
    await anna.sees("You are signed out here");
    await anna.picture("signed-out-company");
    await anna.follow(() => anna.page.click('a[href="/sign-out/oidc"]'));
    assert.equal(anna.isHere(), false);
    await anna.follow(() => anna.page.click('button[name="logout"]'));
    assert.ok(anna.isHere() && anna.path() === "/sign-in");
    await anna.open("/audit");
    assert.equal(anna.path(), "/sign-in");

    // The group decides over role and team.
    await identities.groups("lena", "red-leads", "of-no-meaning");
    const lena = await Person.enter(stage);
    await lena.open("/teams");
    await through(lena, "lena");
    await lena.sees("lena", "team lead", "red");
    await lena.seesNot("blue", "Settings");
    await lena.leave();

    // A group that is left is left with the next sign-in.
    await identities.groups("anna");
    await anna.open("/");
    await through(anna, "anna");
    await anna.sees("no group of yours has a role");
    await anna.picture("sign-in-without-role");
    assert.ok(anna.isHere());
    await anna.open("/audit");
    assert.equal(anna.path(), "/sign-in", "nobody without a group gets in");
    await Promise.all([anna.leave(), olga.leave()]);
  } finally {
    await identities.stop();
  }
}

// Whoever has no group that means anything here.
async function strangers(stage, identities) {
  await identities.groups("nora", "of-no-meaning");
  const nora = await Person.enter(stage);
  await nora.open("/");
  assert.equal(await through(nora, "nora"), 403);
  await nora.sees("no group of yours has a role");
  await nora.picture("sign-in-stranger");
  await nora.open("/audit");
  assert.equal(nora.path(), "/sign-in");

  // Whoever says no on the provider's page is told so.
  const paul = await Person.enter(stage);
  await paul.open("/");
  await paul.follow(() => paul.page.click("a.button.primary"));
  await paul.follow(() => paul.page.click('a[href$="/abort"]'));
  assert.ok(paul.isHere());
  await paul.picture("sign-in-refused-there");
  await Promise.all([nora.leave(), paul.leave()]);
}

export default [
  ["single sign-on through the provider's own pages, roles and teams by groups, strangers, and out again", byGroups],
];
