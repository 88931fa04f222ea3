// What stands around a browser: a policy server, a gateway behind it, a provider of models, a provider of identities. All
// are real programs on loopback but for the provider of models, which is a few lines.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createListener } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const DEADLINE_MS = 60_000;
export const PASSWORD = "correct horse battery";

// Waits for a state; `otherwise` says what is missing at the deadline.
export async function until(asked, otherwise) {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await asked();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(otherwise());
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

async function listening(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

async function freePort() {
  const listener = createListener();
  const port = await listening(listener);
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

// A program in a folder of its own. What it logs is kept for whoever asks why it did not start.
function start(program, args, folder) {
  const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const running = { said: "", log: "" };
  child.stdout.on("data", (data) => { running.said += data; });
  child.stderr.on("data", (data) => { running.log = (running.log + data).slice(-20_000); });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  running.ended = ended;
  running.stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return running;
}

const written = (path) => { try { return readFileSync(path, "utf8").trim(); } catch { return ""; } };
const folderOf = (name) => mkdtempSync(join(tmpdir(), `airiskguard-browser-${name}-`));

// A policy server; `settings` is more text for its policy-server.yaml.
export async function serve(program, settings = "") {
  const folder = folderOf("server");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(join(folder, "policy-server.yaml"), `public_url: ${url}\n${settings}`);
  const args = ["--port", `${port}`, "--port-file", "port", "--data-dir", "data", "--config", "policy-server.yaml"];
  const running = start(program, args, folder);
  await until(() => written(join(folder, "port")), () => `the policy server does not start: ${running.log}`);
  const setup = await until(() => running.said.match(/(\/setup\?token=\S+)/)?.[1], () => "no setup token was shown");
  return { url, setup, stop: running.stop };
}

// Everything of the company that most scenes are about; its gateway comes with the scene that enrols one.
export async function company(program) {
  const models = await provider();
  const server = await serve(program);
  const gateway = { url: `http://127.0.0.1:${await freePort()}` };
  const leave = async () => {
    await gateway.stop?.();
    await server.stop();
    models.stop();
  };
  return { server, models, gateway, secrets: new Set(), leave };
}

// Does what the dashboard's commands say, but for what needs a machine of its own: writes the line of the configuration,
// enrols with the token, starts.
export async function enrol(program, gateway, commands) {
  const folder = folderOf("gateway");
  const server = commands.match(/^printf '.*' (\S+) \| sudo tee /m)[1];
  writeFileSync(join(folder, "gateway.yaml"), `control: {server: "${server}", poll: 1s}\n`);
  const token = commands.match(/--token (\S+)/)[1];
  const enrolling = start(program, ["enroll", "--config", "gateway.yaml", "--token", token], folder);
  const code = await enrolling.ended;
  if (code !== 0) throw new Error(`enrolling failed: ${enrolling.log}${enrolling.said}`);
  const args = ["--config", "gateway.yaml", "--host", "127.0.0.1", "--port", new URL(gateway.url).port, "--port-file", "ports"];
  const running = start(program, args, folder);
  await until(() => written(join(folder, "ports")), () => `the gateway does not start: ${running.log}`);
  Object.assign(gateway, { stop: running.stop, log: () => running.log });
}

// A provider of models: answers messages whole or as a stream, and keeps what it was sent.
async function provider() {
  const seen = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    seen.push({ path: request.url, headers: request.headers, body });
    const { model, stream } = JSON.parse(body || "{}");
    const message = { id: "msg_1", type: "message", role: "assistant", model, stop_reason: null, stop_sequence: null };
    const usage = { input_tokens: 12, output_tokens: 7 };
    if (!stream) {
      response.setHeader("content-type", "application/json");
      const content = [{ type: "text", text: "All is well." }];
      response.end(JSON.stringify({ ...message, content, stop_reason: "end_turn", usage }));
      return;
    }
    response.setHeader("content-type", "text/event-stream");
    const send = (type, more) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
    send("message_start", { message: { ...message, content: [], usage: { input_tokens: 12, output_tokens: 1 } } });
    send("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
    for (const text of ["All ", "is ", "well."]) send("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
    send("content_block_stop", { index: 0 });
    send("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 7 } });
    send("message_stop", {});
    response.end();
  });
  const url = `http://127.0.0.1:${await listening(server)}`;
  return { url, seen, stop: () => server.close() };
}

// Asks as a developer's tool does, by the lines that the dashboard gave to copy. Status and text of the answer.
export async function ask(lines, prompt, { session, stream = false } = {}) {
  const value = (name) => lines.match(new RegExp(`export ${name}=(\\S+)`))[1];
  const response = await fetch(`${value("ANTHROPIC_BASE_URL")}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      "x-api-key": value("ANTHROPIC_API_KEY"),
      ...(session && { "x-claude-code-session-id": session }),
    },
    body: JSON.stringify({
      model: "claude-sonnet-4-6", max_tokens: 64, stream, messages: [{ role: "user", content: prompt }],
    }),
  });
  return { status: response.status, text: await response.text() };
}

// The identity provider of the tests of sign-in, and a policy server that lets in whom it names.
export async function signOn(program, settings) {
  const script = join(HERE, "..", "control", "oidc", "provider.mjs");
  const child = spawn(process.execPath, [script, process.env.BROWSER_OIDC], { stdio: ["pipe", "pipe", "ignore"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value;
  const issuer = `http://127.0.0.1:${await line()}`;
  const server = await serve(program, settings(issuer));
  child.stdin.write(`${server.url}\n`);
  const ready = await line();
  if (ready !== "ready") throw new Error(`the identity provider says ${ready}`);
  const groups = (user, ...of) =>
    fetch(`${issuer}/test/groups`, { method: "PUT", body: JSON.stringify({ user, groups: of }) });
  const stop = async () => {
    child.stdin.end();
    await server.stop();
  };
  return { ...server, issuer, groups, stop };
}
