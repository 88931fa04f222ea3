// Requests of a developer's tool through a real gateway, as the pages show them, and who is kept out.
import assert from "node:assert/strict";
import { Person } from "../person.mjs";
import { ask, until } from "../stage.mjs";

// Made up, and not whole in a source line.
export const AWS_KEY = ["AKIA", "Z7QK2MX5RTLW9PDN"].join("");
const STRIPE_KEY = ["sk_live", "9vT2kQ8xLw3Zr7Nb5Yc1Hd6J"].join("_");
const PROMPT = `Why does this fail?\naws_access_key_id = ${AWS_KEY}\nstripe = ${STRIPE_KEY}\nThanks.`;

async function seen(stage) {
  const { models, secrets, gateway } = stage;
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  await olga.open("/teams");
  await olga.submit('form[action="/teams"]', { name: "payments" });
  await olga.submit('form[action="/teams/payments"]', { redact_secrets: "true" });
  await olga.submit('form[action="/teams/payments/keys"]', { name: "laptop", gateway: gateway.url });
  stage.lines = await olga.copy("issued-anthropic");
  for (const it of [await olga.copy("issued-key"), AWS_KEY, STRIPE_KEY]) secrets.add(it);

  // Somebody else looks on while the tool asks.
  const nina = await Person.enter(stage);
  await nina.signIn("olga");
  await nina.open("/live");
  await nina.seesNot("payments");
  const session = "session-with-secrets";
  await until(async () => (await ask(stage.lines, "hello")).status === 200, () => "the gateway never knows the key");
  const answer = await ask(stage.lines, PROMPT, { session, stream: true });
  assert.equal(answer.status, 200, answer.text);
  assert.ok(answer.text.includes('"text":"well."') && answer.text.includes("message_stop"), answer.text);
  const sent = models.seen.at(-1).body;
  assert.ok(sent.includes("Why does this fail?") && sent.includes("Thanks."), sent);
  for (const it of [AWS_KEY, STRIPE_KEY]) assert.ok(!sent.includes(it), "a secret went to the provider");

  await nina.awaits("secrets.aws.access_key");
  await nina.sees("payments", "redact", "claude-sonnet-4-6", "critical");
  await nina.picture("live");
  await nina.page.click('[data-pause="feed"]');
  assert.equal(await nina.page.$eval('[data-pause="feed"]', (it) => it.getAttribute("aria-pressed")), "true");
  await nina.leave();

  // Found by its session, as somebody would who is called about it; what is found is answered in place.
  await olga.open("/audit");
  await olga.press("/");
  await olga.tabTo("#session");
  await olga.page.keyboard.type(session);
  await olga.press("Enter");
  await olga.page.waitForFunction(() => location.search.includes("session-with-secrets"));
  await olga.page.waitForFunction(() => document.querySelectorAll("#records tbody tr").length === 1);
  await olga.look();
  await olga.picture("audit-search");
  await olga.follow(() => olga.page.click("#records tbody a"));
  await olga.sees("2 findings", "secrets.aws.access_key", "secrets.payment.stripe_secret_key", "in the prompt",
    "messages[0]", "Why it matters", "critical", session, "payments",
    "forwarded", "Tokens in");
  await olga.page.click("details.more summary");
  await olga.look();
  await olga.picture("record");
  stage.record = olga.path();

  await olga.open("/");
  await olga.sees("Requests", "Redacted", "secrets.aws.access_key", "payments", "claude-sonnet-4-6");
  await olga.picture("overview");
  await olga.open("/audit?rule=secrets.aws.access_key&action=block");
  await olga.sees("No record matches");
  await olga.open("/gateways");
  await olga.sees("in step");
  await olga.leave();
}

async function quarantine(stage) {
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  const [session, other] = ["session-to-be-held", "session-beside-it"];
  for (const it of [session, other]) assert.equal((await ask(stage.lines, "hello", { session: it })).status, 200);
  await olga.comesToSee("/sessions", session, other);
  await olga.picture("sessions");

  const form = `form[action="/sessions"]:has(input[value="${session}"])`;
  await olga.unfold(form);
  await olga.picture("sessions-question");
  await olga.submit(form, { reason: "secrets in every second prompt" });
  await olga.sees("In quarantine", "secrets in every second prompt");
  await olga.picture("sessions-held");
  const release = await olga.page.$eval('form[action^="/quarantines/"]', (it) => it.getAttribute("action"));
  const reference = release.split("/")[2];

  const held = await until(async () => {
    const answer = await ask(stage.lines, "and now?", { session });
    return answer.status !== 200 && answer;
  }, () => "the gateway never hears of the quarantine");
  assert.equal(held.status, 400);
  const told = JSON.parse(held.text);
  assert.equal(told.type, "error");
  assert.equal(told.error.type, "quarantined");
  for (const it of ["This session is in quarantine", "secrets in every second prompt", reference, "administrator"]) {
    assert.ok(told.error.message.includes(it), told.error.message);
  }
  const streamed = await ask(stage.lines, "and so?", { session, stream: true });
  assert.equal(streamed.status, 400);
  assert.equal((await ask(stage.lines, "hello", { session: other })).status, 200, "only this session is held");
  await olga.comesToSee(`/audit?session=${session}`, "refused", "quarantined");
  await olga.picture("audit-held");

  // Let in again by the keyboard alone. A release without a reason is none.
  await olga.open("/sessions");
  await olga.tabTo(`details:has(form[action="${release}"]) summary`);
  await olga.press("Enter");
  await olga.tabTo(`form[action="${release}"] [name="reason"]`);
  await olga.press("Enter");
  assert.equal(await olga.has(`form[action="${release}"] :invalid`), true, "the browser asks for the reason");
  await olga.page.keyboard.type("talked to the developer");
  await olga.follow(() => olga.press("Enter"));
  await olga.sees("Nobody is in quarantine");
  await until(async () => (await ask(stage.lines, "hello again", { session })).status === 200,
    () => "the gateway never hears of the release");

  await olga.open("/audit?kind=act");
  await olga.picture("audit-acts");
  const acts = await olga.text();
  assert.match(acts, /quarantine\.imposed/);
  assert.match(acts, /quarantine\.released/);
  await olga.follow(() => olga.page.click("#records tbody a"));
  await olga.sees("By user:olga", "talked to the developer");
  await olga.picture("act");
  await olga.leave();
}

export default [
  ["a prompt with secrets is on every page that it belongs on, and its secrets on none", seen],
  ["a session is kept out on the page, its client is told why, and it is let in again", quarantine],
];
