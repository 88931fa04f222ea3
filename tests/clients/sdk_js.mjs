// The official JavaScript SDKs of both vendors through the gateway. Run by `run.sh` on the stage; last line: counts.

import assert from "node:assert/strict";
import { ALL, KEY, anthropic, chat } from "./speakers.mjs";

const CONTROL = process.env.STAGE_CONTROL_URL;
const DIRECT = Boolean(process.env.STAGE_DIRECT);
const SAMPLES = JSON.parse(process.env.STAGE_SAMPLES);
const PROVIDER_KEYS = JSON.parse(process.env.STAGE_PROVIDER_KEYS);
const LABEL = /\[REDACTED:[A-Z0-9_]+(?::[A-Za-z0-9_-]+)?\]/g;
const HELLO = "Hello from the loopback provider.";
const EVERY_CUT = [undefined, 1, 3, 64];

const post = async (name, document) =>
  (await fetch(`${CONTROL}/__${name}`, { method: "POST", body: JSON.stringify(document) })).json();
const get = async (name) => (await fetch(`${CONTROL}/__${name}`)).json();
const reset = () => post("reset", { cut: !DIRECT });
const script = (...answers) => post("script", answers);
const text = (words, more = {}) => ({ parts: [{ text: words }], ...more });
const tool = (input, more = {}) => ({ parts: [{ tool: "Write", input }], ...more });
const bodies = (told) => told.requests.map((request) => Buffer.from(request.body_base64, "base64").toString());
const received = async () => bodies(await get("requests"));
const asked = async () => bodies(await get("tap"));

async function sameBodies() {
  assert.deepEqual(await received(), await asked(), "the provider did not receive the bytes that the client sent");
}

async function untouchedProvider() {
  const told = await get("requests");
  assert.equal((await asked()).length, 1, "the client asked more than once");
  assert.equal(told.requests.length, 0, "the provider received a request");
  assert.equal(told.connections, 0, "the provider saw a connection");
}

/// The SDK's error for a bad request, naming rule and place, never what was found.
async function refused(speaker, asking) {
  const error = await asking.then((said) => assert.fail(`not refused: ${JSON.stringify(said)}`), (reason) => reason);
  assert.ok(error instanceof speaker.errors.BadRequestError, `not a BadRequestError: ${error}`);
  assert.equal(speaker.code(error), speaker.blocked);
  assert.match(error.message, /(secrets|vuln)\.[a-z_]+\.[a-z_]+/, "no rule named");
  assert.match(error.message, /message|input|line|content|completion|answer/, "no place named");
  for (const hidden of [SAMPLES.STRIPE_KEY, SAMPLES.VULNERABLE]) assert.ok(!error.message.includes(hidden), "it repeats the finding");
}

// Scenarios by name; those of `direct` also hold without a gateway.
const direct = {
  async plain(speaker) {
    assert.equal((await speaker().ask("Say hello \u00e9\u{1f600}")).text, HELLO);
    await sameBodies();
    if (DIRECT) return;
    const headers = JSON.stringify((await get("requests")).requests[0].headers);
    assert.ok(!headers.includes(KEY), `the gateway key went upstream: ${headers}`);
    assert.ok(Object.values(PROVIDER_KEYS).some((key) => headers.includes(key)), `no provider key: ${headers}`);
  },

  async stream(speaker) {
    const words = "One, two, three: \u00fcber \u{1f600} caf\u00e9. ".repeat(5);
    for (const cut of EVERY_CUT) {
      await reset();
      await script(text(words, { cut, write_bytes: cut && 5 }));
      const said = await speaker().ask("Count", { stream: true });
      assert.equal(said.text, words, `cut ${cut}`);
      assert.ok(said.finished, `cut ${cut}: the stream did not say that it is complete`);
      await sameBodies();
    }
  },

  async tools(speaker) {
    const input = { file_path: "notes.txt", content: 'first "line"\nsecond \\ line\n\u00e9' };
    for (const stream of [false, true]) {
      await reset();
      await script(tool(input, { cut: 3 }), text("Written."));
      assert.deepEqual((await speaker().ask("Write notes", { stream })).calls, [["Write", input]]);
      assert.equal((await speaker().ask("Write notes", { stream, results: ["ok"] })).text, "Written.");
      await sameBodies();
    }
  },

  async tools_parallel(speaker) {
    const [first, second] = [{ file_path: "a.txt", content: "1" }, { file_path: "b.txt", content: "2" }];
    const parts = [{ text: "Both. " }, { tool: "Write", input: first }, { tool: "Write", input: second }];
    for (const stream of [false, true]) {
      await script({ parts, cut: 3 });
      const said = await speaker().ask("Write both", { stream });
      assert.equal(said.text, "Both. ");
      assert.deepEqual(said.calls, [["Write", first], ["Write", second]]);
    }
  },

  async errors(speaker) {
    for (const status of [400, 429, 529]) {
      const body = { type: "error", error: { type: "vendor_error", message: `vendor wording ${status}`, code: "v", param: null } };
      await script({ error: { status, headers: { "retry-after": "7" }, body } });
      const error = await speaker({ retries: 0 }).ask("Fail").then(() => assert.fail("no error"), (reason) => reason);
      assert.equal(error.status, status, String(error));
      assert.match(error.message, new RegExp(`vendor wording ${status}`));
      assert.equal(error.headers.get("retry-after"), "7");
    }
  },
};

const gateway = {
  async blocked(speaker) {
    for (const stream of [false, true]) {
      await reset();
      await refused(speaker(), speaker().ask(`line one\nkey = ${SAMPLES.STRIPE_KEY}\n`, { stream }));
      await untouchedProvider();
    }
  },

  async redaction(speaker) {
    await speaker().ask(`DATABASE_URL=${SAMPLES.DATABASE_URL}\nIs it right? \u{1f600}`);
    const [[got], [sent]] = [await received(), await asked()];
    const labels = new Set(got.match(LABEL));
    assert.equal(labels.size, 1, got);
    assert.ok(!got.includes(SAMPLES.DATABASE_URL), got);
    assert.equal(got.replaceAll([...labels][0], SAMPLES.DATABASE_URL), sent, "more than the secret was changed");
  },

  async restore(speaker) {
    for (const secret of [SAMPLES.DATABASE_URL, SAMPLES.PRIVATE_KEY]) {
      for (const stream of [false, true]) {
        for (const cut of stream ? EVERY_CUT : [undefined]) {
          const input = { file_path: "settings.env", content: "VALUE=<<placeholder>>\n" };
          await script({ parts: [{ text: "VALUE=<<placeholder>>\n" }, { tool: "Write", input }], cut });
          const said = await speaker().ask(`VALUE=${secret}\n`, { stream });
          assert.equal(said.text, `VALUE=${secret}\n`, `stream ${stream}, cut ${cut}`);
          assert.deepEqual(said.calls, [["Write", { ...input, content: `VALUE=${secret}\n` }]], `stream ${stream}, cut ${cut}`);
        }
      }
    }
  },

  async stopped(speaker) {
    for (const answer of [text(SAMPLES.VULNERABLE_REPLY), tool(SAMPLES.VULNERABLE_FILE)]) {
      await reset();
      await script(answer);
      await refused(speaker(), speaker().ask("Write a query, all at once"));
      assert.equal((await asked()).length, 1, "the client asked more than once");
      assert.equal((await received()).length, 1, "the provider was not asked once");
    }
  },

  async stopped_stream(speaker) {
    for (const answer of [text(SAMPLES.VULNERABLE_REPLY), tool(SAMPLES.VULNERABLE_FILE)]) {
      for (const cut of EVERY_CUT) {
        await reset();
        await script({ ...answer, cut, write_bytes: 11 });
        const said = await speaker().ask("Write a query", { stream: true });
        assert.ok(said.finished, `cut ${cut}: the stream did not end cleanly`);
        assert.match(said.text + said.failure, /vuln\./, `cut ${cut}: no notice that names the rule`);
        assert.deepEqual(said.calls, [], `cut ${cut}: the tool call went out`);
        assert.ok(!(await get("tap")).answered.includes("{name}"), `cut ${cut}: vulnerable code went out`);
        assert.equal((await asked()).length, 1, "the client asked more than once");
      }
      // A client that loses a stream asks again without one: the block is remembered, the provider hears nothing.
      await reset();
      await refused(speaker(), speaker().ask("Write a query"));
      assert.equal((await received()).length, 0, "the provider was asked for a second answer");
    }
  },

  async wrong_key(speaker) {
    const error = await speaker({ key: "gw-nobody-made-up-key" }).ask("Let me in").then(() => assert.fail("let in"), (reason) => reason);
    assert.ok(error instanceof speaker().errors.AuthenticationError, String(error));
    await untouchedProvider();
  },

  async model_not_allowed(speaker) {
    const error = await speaker({ model: "o9-secret" }).ask("Hello").then(() => assert.fail("let through"), (reason) => reason);
    assert.ok(error instanceof speaker().errors.BadRequestError, String(error));
    assert.match(error.message, /o9-secret/);
    await untouchedProvider();
  },
};

const once = {
  async count_tokens() {
    const messages = [{ role: "user", content: "How long?" }];
    const counted = await anthropic().client.messages.countTokens({ model: "claude-sonnet-4-6", messages });
    assert.ok(counted.input_tokens > 0);
    await sameBodies();
  },

  async embeddings() {
    const made = await chat().client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
    assert.deepEqual(made.data.map((row) => row.embedding), [[0.5, -0.5, 0.25, 1], [0.5, -0.5, 0.25, 1]]);
    await sameBodies();
  },

  async models() {
    for (const { client } of [anthropic(), chat()]) {
      const listed = [];
      for await (const model of client.models.list()) listed.push(model.id);
      assert.ok(listed.includes("gpt-4o"), String(listed));
      assert.equal(listed.includes("o9-secret"), DIRECT, `the list is not filtered by the allowlist: ${listed}`);
    }
  },
};

const scenarios = [];
for (const [name, run] of Object.entries(DIRECT ? direct : { ...direct, ...gateway }))
  for (const [who, speaker] of Object.entries(ALL)) scenarios.push([`js.${name}.${who}`, () => run(speaker)]);
for (const [name, run] of Object.entries(once)) scenarios.push([`js.${name}`, run]);

const only = (process.argv[2] === "--only" ? process.argv[3] : "").split(",");
let [passed, failed] = [0, 0];
for (const [title, run] of scenarios.filter(([title]) => only.some((word) => title.includes(word)))) {
  try {
    await reset();
    await run();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${title}\n${error.stack}`);
  }
}
console.log(`JavaScript SDKs: ${passed} passed, ${failed} failed`);
process.exit(failed || !(passed || only[0]) ? 1 : 0);
