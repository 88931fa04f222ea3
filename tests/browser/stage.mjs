// A policy server with a folder of its own, a browser, and people in it. Whatever a page complains about (an error on the
// console, a violation of the content policy, a request that failed) fails the scene.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.BROWSER_NODE, "index.js"));
const puppeteer = require("puppeteer-core");
const PICTURES = process.env.BROWSER_PICTURES;
export const PASSWORD = "correct horse battery";

export async function launch() {
  mkdirSync(PICTURES, { recursive: true });
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--lang=en"],
  });
}

// A server; `settings` is the text of its policy-server.yaml.
export async function serve(binary, settings = "") {
  const folder = mkdtempSync(join(tmpdir(), "airiskguard-browser-"));
  const portFile = join(folder, "port");
  const args = ["--port", "0", "--port-file", portFile, "--data-dir", join(folder, "data")];
  if (settings) {
    writeFileSync(join(folder, "policy-server.yaml"), settings);
    args.push("--config", join(folder, "policy-server.yaml"));
  }
  const process = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "", log = "";
  process.stdout.on("data", (data) => { said += data; });
  process.stderr.on("data", (data) => { log = (log + data).slice(-20000); });
  const address = await until(() => { try { return readFileSync(portFile, "utf8").trim(); } catch { return null; } },
    () => `the server does not start: ${log}`);
  const token = await until(() => said.match(/setup\?token=(\S+)/)?.[1], () => "no setup token was shown");
  const stop = async () => {
    process.kill("SIGTERM");
    await new Promise((resolve) => process.once("exit", resolve));
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `http://${address}`, token, folder, stop, log: () => log };
}

export async function until(asked, otherwise) {
  for (let round = 0; round < 300; round += 1) {
    const answer = await asked();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(otherwise());
}

// Somebody with a browser profile of the own.
export class Person {
  static async enter(browser, server, { scripts = true, dark = false, wide = 1280 } = {}) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const person = new Person(context, page, server);
    await page.setViewport({ width: wide, height: 900 });
    await page.setJavaScriptEnabled(scripts);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    page.setDefaultTimeout(15000);
    return person;
  }

  constructor(context, page, server) {
    Object.assign(this, { context, page, server, complaints: [] });
    // A page that is refused on purpose is an error to the browser as well.
    const refused = /Failed to load resource: the server responded with a status of 4\d\d/;
    page.on("console", (it) => {
      if (["error", "warn"].includes(it.type()) && !refused.test(it.text())) this.complaints.push(it.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("response", (it) => { if (it.status() >= 500) this.complaints.push(`${it.status()} ${it.url()}`); });
  }

  // Goes to a path; the status of what is there.
  async open(path) {
    const response = await this.page.goto(this.server.url + path, { waitUntil: "load" });
    return response.status();
  }

  path() { return new URL(this.page.url()).pathname; }
  text() { return this.page.$eval("body", (it) => it.innerText); }

  async sees(...wanted) {
    const text = await this.text();
    for (const it of wanted) assert.ok(text.includes(it), `${this.path()} does not say "${it}":\n${text}`);
  }

  async seesNot(...wanted) {
    const text = await this.text();
    for (const it of wanted) assert.ok(!text.includes(it), `${this.path()} says "${it}":\n${text}`);
  }

  // Fills fields of a form by name.
  async fill(form, values) {
    for (const [name, value] of Object.entries(values)) {
      const field = await this.page.waitForSelector(`${form} [name="${name}"]`);
      const kind = await field.evaluate((it) => it.type);
      if (kind === "select-one") await field.select(value);
      else if (kind === "checkbox") await this.page.click(`${form} [name="${name}"][value="${value}"]`);
      else {
        await field.evaluate((it) => { it.value = ""; });
        await field.type(value);
      }
    }
  }

  // Presses a form's button and waits for the page that follows; its status.
  async send(form, button = "button") {
    const [response] = await Promise.all([
      this.page.waitForNavigation({ waitUntil: "load" }),
      this.page.click(`${form} ${button}`),
    ]);
    return response?.status();
  }

  async submit(form, values, button) {
    await this.fill(form, values);
    return this.send(form, button);
  }

  async signIn(name, password = PASSWORD) {
    await this.open("/sign-in");
    return this.submit('form[action="/sign-in"]', { name, password });
  }

  // Opens the question behind which a dangerous button is, and presses it.
  async confirm(action) {
    const form = `form[action="${action}"]`;
    await this.page.$eval(form, (it) => { it.closest("details").open = true; });
    return this.send(form);
  }

  async picture(name) {
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  }

  async leave() {
    await this.context.close();
    assert.deepEqual(this.complaints, [], "the browser complains");
  }
}
