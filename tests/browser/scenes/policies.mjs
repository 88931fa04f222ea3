// A policy is written, tried, published and taken back on the page, and the gateway does what it says.
import assert from "node:assert/strict";
import { Person } from "../person.mjs";
import { ask, until } from "../stage.mjs";
import { AWS_KEY } from "./traffic.mjs";

const PROMPT = `use ${AWS_KEY} for the upload`;
const MAIL = ["anna.berg", "contoso.com"].join("@");
const REDACTS = `policies:
  - name: keep_secrets_in
    condition: {checker: secrets}
    action: redact
`;
const BLOCKS = REDACTS.replace("action: redact", "action: block\n    redact: false");
const REVIEWS = `${REDACTS}  - name: look_at_addresses
    condition: {rule: "compliance.contact.*"}
    action: review
`;
const POLICY = 'form[action="/policies/default"]';

// Presses a button whose answer replaces a part of the page.
async function check(olga, which) {
  const answered = olga.page.waitForResponse((it) => it.url().endsWith("/check"));
  await olga.page.click(`${POLICY} button[value="${which}"]`);
  await answered;
  await olga.page.waitForSelector("#checked:not([aria-busy]) #difference");
  await olga.look();
}

async function publish(olga, note) {
  const form = 'form[action="/policies/default/publish"]';
  await olga.submit(form, { note }, 'button[formaction$="/publish"]');
}

function answers(stage, status, prompt = PROMPT, session = undefined) {
  return until(async () => {
    const answer = await ask(stage.lines, prompt, { session });
    return answer.status === status && answer;
  }, () => `the gateway never answers ${status}`);
}

async function published(stage) {
  const { models } = stage;
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  await olga.open("/policies/default");
  await olga.sees("Nothing is published yet");

  await olga.paste("#text", "policies:\n  - name: keep_secrets_in\n    condition: {checker: secretz}\n    action: redact\n");
  await check(olga, "checks");
  await olga.sees("Gateways would not take this text", "secretz");
  const line = await olga.page.$eval("#checked tbody th", (it) => it.innerText);
  assert.match(line, /^3:\d+$/, "the mistake has its line");
  await olga.picture("policy-mistake");
  // A draft may have mistakes; what is published may not.
  await olga.send(POLICY, "button.primary");
  await publish(olga, "with a mistake");
  await olga.sees("secretz", "Nothing is published yet");
  await olga.picture("policy-refused");

  // The first version, by the keyboard alone.
  await olga.paste("#text", REDACTS);
  await olga.press("Escape");
  await olga.tabTo(`${POLICY} footer button.primary`);
  await olga.follow(() => olga.press("Enter"));
  assert.equal(await olga.value("#text"), REDACTS);
  await olga.tabTo('button[formaction$="/publish"]');
  await olga.follow(() => olga.press("Enter"));
  await olga.sees("Version 1 is in force");
  await answers(stage, 200);
  assert.ok(!models.seen.at(-1).body.includes(AWS_KEY), "it is redacted");

  await olga.paste("#text", BLOCKS);
  await check(olga, "dry_run");
  await olga.sees("Gateways would take this text", "What it would have done", "1 removed");
  const blocked = await olga.page.$eval("#checked .stats .is-red dd", (it) => it.innerText);
  assert.match(blocked, /^[1-9]/, `it would have blocked ${blocked}`);
  assert.equal(await olga.has("#checked .diff .added"), true);
  await olga.picture("policy-dry-run");
  await olga.send(POLICY, "button.primary");
  await olga.picture("policy-draft");
  await publish(olga, "secrets are refused from now on");
  await olga.sees("Version 2 is in force", "secrets are refused from now on");
  await olga.picture("policy");

  const refused = JSON.parse((await answers(stage, 400)).text);
  assert.equal(refused.type, "error");
  assert.match(refused.error.message, /keep_secrets_in|AWS/);
  assert.ok(!refused.error.message.includes(AWS_KEY), "an answer holds the secret");
  await olga.comesToSee("/audit?action=block&rule=secrets.aws.access_key", "claude-sonnet-4-6");

  await olga.open("/policies/default/versions/1");
  const back = 'form[action="/policies/default/versions/1/roll-back"]';
  await olga.unfold(back);
  await olga.picture("policy-roll-back");
  await olga.submit(back, { note: "too many were stopped" });
  await olga.sees("Version 3 is in force", "as 1", "too many were stopped");
  await answers(stage, 200);
  assert.ok(!models.seen.at(-1).body.includes(AWS_KEY), "it is redacted again");
  await olga.leave();
}

async function reviewed(stage) {
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  stage.secrets.add(MAIL);
  await olga.open("/review");
  await olga.sees("Nothing waits for you");
  await olga.open("/policies/default");
  await olga.paste("#text", REVIEWS);
  await olga.send(POLICY, "button.primary");
  await publish(olga, "addresses are looked at");
  await olga.sees("is in force", "addresses are looked at");
  // The gateway has it as soon as something waits.
  await until(async () => {
    assert.equal((await ask(stage.lines, `write to ${MAIL}`, { session: "session-for-review" })).status, 200);
    await olga.open("/review");
    return !(await olga.text()).includes("Nothing waits for you");
  }, () => "nothing ever waits for review");
  await olga.sees("compliance.contact.email", "payments");
  await olga.picture("review");

  const form = 'form[action^="/review/"]';
  await olga.submit(form, { note: "the published address of the press office" }, 'button[value="false_positive"]');
  await olga.sees("An exception for this", "compliance.contact.email", "How precise rules were", "0 %");
  await olga.picture("review-exception");
  const exception = await olga.copy("exception");
  assert.match(exception, /expires: \d{4}-\d\d-\d\d/);

  // The lines are good as they are: put into the policy and published, they let it pass.
  await olga.open("/policies/default");
  const indented = exception.split("\n").map((it) => `  ${it}`).join("\n");
  await olga.paste("#text", `${REVIEWS}exceptions:\n${indented}\n`);
  await check(olga, "checks");
  await olga.sees("Gateways would take this text");
  await olga.send(POLICY, "button.primary");
  await publish(olga, "but for the press office");
  await olga.sees("is in force", "but for the press office");
  let asked = 0;
  await until(async () => {
    const session = `session-with-exception-${asked += 1}`;
    assert.equal((await ask(stage.lines, `write to ${MAIL}`, { session })).status, 200);
    await olga.comesToSee(`/audit?session=${session}`, "claude-sonnet-4-6");
    return (await olga.page.$eval("#records tbody", (it) => it.innerText)).includes("allow");
  }, () => "the exception never holds");
  await olga.follow(() => olga.page.click("#records tbody a"));
  await olga.sees("by the exception reviewed_");
  await olga.leave();
}

// A rule of the company's own, tried on a text, in force with its policy.
async function rules(stage) {
  const { models } = stage;
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  await olga.open("/rules");
  await olga.follow(() => olga.page.click('main tbody a[href="/rules/organisation"]'));
  const form = 'form[action="/rules/organisation"]';
  await olga.paste("#text", RULE.replace("{6}", "+"));
  await olga.page.click(`${form} button[value="checks"]`);
  await olga.awaits("bound every");
  await olga.picture("rules-mistake");
  await olga.paste("#text", RULE);
  await olga.paste("#sample", "my badge-771032 opens it,\nmy badge-12 does not");
  await olga.page.click(`${form} button[value="trial"]`);
  await olga.awaits("1 hit");
  assert.equal(await olga.page.$eval("#checked mark", (it) => it.textContent), "badge-771032");
  await olga.picture("rules-trial");
  await olga.send(form, "button.primary");
  await olga.submit('form[action="/rules/organisation/publish"]', { note: "badges" }, 'button[formaction$="/publish"]');
  await olga.sees("Version 1 is in force");

  await olga.open("/policies/default");
  await olga.paste("#text", `checks: {outbound: [secrets, house]}\n${REDACTS}${HOUSE}`);
  await olga.send(POLICY, "button.primary");
  await publish(olga, "badges stay in the house");
  stage.secrets.add("badge-771032");
  await until(async () => {
    assert.equal((await ask(stage.lines, "take badge-771032 with you")).status, 200);
    return !models.seen.at(-1).body.includes("badge-771032");
  }, () => "the gateway never knows the rule");
  await olga.comesToSee("/audit?rule=house.badges.number", "redact");
  await olga.leave();
}

const HOUSE = `  - name: keep_badges_in
    condition: {checker: house}
    action: redact
`;
const RULE = `- id: house.badges.number
  title: Number of a company badge
  risk: high
  score: 0.9
  type: BADGE_NUMBER
  keywords: [badge-]
  pattern: '\\bbadge-[0-9]{6}\\b'
  redact: true
  why: It opens the doors of the building.
  hits: [badge-204\u00a6866]
  misses: [badge-12]
`;

export default [
  ["a policy is checked, tried, published and rolled back, and the gateway follows", published],
  ["what waits for review is judged, and the exception it suggests lets it pass", reviewed],
  ["a rule of the house is tried on a text and published, and the gateway follows", rules],
];
