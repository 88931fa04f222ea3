// One face over the official JavaScript SDKs, so that a scenario is written once and holds for every dialect.
// A speaker's `ask` resolves to what a developer's program would see: {text, calls, finished, failure}.

import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENTS_JS + "/");
const Anthropic = require("@anthropic-ai/sdk");
const OpenAI = require("openai");

const url = process.env.STAGE_GATEWAY_URL;
export const KEY = process.env.STAGE_GATEWAY_KEY;

const SCHEMA = {
  type: "object",
  properties: { file_path: { type: "string" }, content: { type: "string" } },
  required: ["file_path", "content"],
};
const EARLIER = JSON.stringify({ file_path: "a", content: "b" });

const said = (text = "", calls = [], finished = true, failure = "") => ({ text, calls, finished, failure });

/// Messages through `@anthropic-ai/sdk`.
export function anthropic({ key = KEY, retries = 2, model = "claude-sonnet-4-6" } = {}) {
  const client = new Anthropic.Anthropic({ baseURL: url, apiKey: key, maxRetries: retries });
  const sayings = (message) =>
    said(
      message.content.filter((block) => block.type === "text").map((block) => block.text).join(""),
      message.content.filter((block) => block.type === "tool_use").map((block) => [block.name, block.input]),
      ["end_turn", "tool_use"].includes(message.stop_reason),
    );
  async function ask(prompt, { stream = false, results = [], onText } = {}) {
    const messages = [{ role: "user", content: prompt }];
    results.forEach((content, index) => {
      const id = `toolu_${index}`;
      messages.push({ role: "assistant", content: [{ type: "tool_use", id, name: "Write", input: JSON.parse(EARLIER) }] });
      messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: id, content }] });
    });
    const body = { model, max_tokens: 256, messages, tools: [{ name: "Write", input_schema: SCHEMA }] };
    if (!stream) return sayings(await client.messages.create(body));
    const events = client.messages.stream(body);
    if (onText) events.on("text", onText);
    return sayings(await events.finalMessage());
  }
  return { client, ask, errors: Anthropic, blocked: "policy_blocked", code: (error) => error.error.error.type };
}

/// Chat Completions through `openai`, of a deployment when `azure` is set.
export function chat({ key = KEY, retries = 2, model = "gpt-4o", azure = false } = {}) {
  const client = azure
    ? new OpenAI.AzureOpenAI({ endpoint: url, apiKey: key, apiVersion: "2024-10-21", maxRetries: retries })
    : new OpenAI.OpenAI({ baseURL: url + "/v1", apiKey: key, maxRetries: retries });
  async function ask(prompt, { stream = false, results = [], onText } = {}) {
    const messages = [{ role: "user", content: prompt }];
    results.forEach((content, index) => {
      const call = { id: `call_${index}`, type: "function", function: { name: "Write", arguments: EARLIER } };
      messages.push({ role: "assistant", content: null, tool_calls: [call] });
      messages.push({ role: "tool", tool_call_id: call.id, content });
    });
    const body = { model, messages, tools: [{ type: "function", function: { name: "Write", parameters: SCHEMA } }] };
    if (stream) return gatherChunks(await client.chat.completions.create({ ...body, stream: true }), onText);
    const { message } = (await client.chat.completions.create(body)).choices[0];
    const calls = (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
    return said(message.content ?? "", calls);
  }
  const blocked = azure ? "content_filter" : "policy_blocked";
  return { client, ask, errors: OpenAI, blocked, code: (error) => error.code };
}

/// Chat Completions of a deployment through `AzureOpenAI`.
export const azure = (options = {}) => chat({ ...options, azure: true });

/// Adds chunks up, as a client of the raw stream does.
async function gatherChunks(chunks, onText) {
  const whole = said("", [], false);
  const parts = [];
  for await (const chunk of chunks) {
    for (const { delta, finish_reason } of chunk.choices) {
      if (delta.content) {
        whole.text += delta.content;
        onText?.(delta.content);
      }
      for (const call of delta.tool_calls ?? []) {
        parts[call.index] ??= ["", ""];
        parts[call.index][0] += call.function?.name ?? "";
        parts[call.index][1] += call.function?.arguments ?? "";
      }
      whole.finished ||= ["stop", "tool_calls"].includes(finish_reason);
    }
  }
  whole.calls = parts.map(([name, written]) => [name, JSON.parse(written)]);
  return whole;
}

/// Responses through `openai`.
export function responses({ key = KEY, retries = 2, model = "gpt-5" } = {}) {
  const client = new OpenAI.OpenAI({ baseURL: url + "/v1", apiKey: key, maxRetries: retries });
  const callsOf = (items) =>
    items.filter((item) => item.type === "function_call").map((item) => [item.name, JSON.parse(item.arguments)]);
  async function gather(events, onText) {
    const whole = said("", [], false);
    for await (const event of events) {
      if (event.type === "response.output_text.delta") {
        whole.text += event.delta;
        onText?.(event.delta);
      } else if (event.type === "response.output_item.done") {
        whole.calls.push(...callsOf([event.item]));
      } else if (event.type === "response.completed") {
        whole.finished = true;
      } else if (event.type === "response.failed") {
        whole.finished = event.response.error.code === "invalid_prompt";
        whole.failure = event.response.error.message;
      }
    }
    return whole;
  }
  async function ask(prompt, { stream = false, results = [], onText } = {}) {
    const input = [{ role: "user", content: prompt }];
    results.forEach((output, index) => {
      input.push({ type: "function_call", call_id: `call_${index}`, name: "Write", arguments: EARLIER });
      input.push({ type: "function_call_output", call_id: `call_${index}`, output });
    });
    const tools = [{ type: "function", name: "Write", parameters: SCHEMA, strict: false }];
    const body = { model, input, tools, store: false };
    if (stream) return gather(await client.responses.create({ ...body, stream: true }), onText);
    const response = await client.responses.create(body);
    return said(response.output_text, callsOf(response.output), response.status === "completed");
  }
  return { client, ask, errors: OpenAI, blocked: "policy_blocked", code: (error) => error.code };
}

export const ALL = { anthropic, chat, azure, responses };
