// Somebody with a browser. Whatever a page complains about fails the scene: an error on the console, a violation of the
// content policy, a request to elsewhere or one that failed, and what `page_rules.mjs` does not let pass.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { breaches } from "./page_rules.mjs";
import { PASSWORD, until } from "./stage.mjs";

const require = createRequire(join(process.env.BROWSER_NODE, "index.js"));
const puppeteer = require("puppeteer-core");
const PICTURES = process.env.BROWSER_PICTURES;
const TAB_STOPS_MAX = 150;

export async function launch() {
  mkdirSync(PICTURES, { recursive: true });
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Nothing but this machine is there: the dashboard needs nothing else.
    args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--lang=en",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
}

export class Person {
  // `stage` has the browser, the server, and the values that no page may show.
  static async enter({ browser, server, secrets }, { scripts = true, dark = false, wide = 1280 } = {}) {
    const context = await browser.createBrowserContext();
    const permissions = ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"];
    await context.overridePermissions(server.url, permissions);
    const page = await context.newPage();
    const person = new Person(context, page, server, secrets ?? new Set());
    await page.setViewport({ width: wide, height: 900 });
    await page.setJavaScriptEnabled(scripts);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    await page.evaluateOnNewDocument(() => document.addEventListener("securitypolicyviolation", (it) =>
      console.error(`content policy: ${it.violatedDirective} forbids ${it.blockedURI} ${it.sample}`)));
    page.setDefaultTimeout(60_000);
    return person;
  }

  constructor(context, page, server, secrets) {
    Object.assign(this, { context, page, server, secrets, complaints: [] });
    // A page that is refused on purpose is an error to the browser as well.
    const refused = /Failed to load resource: the server responded with a status of 4\d\d/;
    page.on("console", (it) => {
      if (["error", "warn"].includes(it.type()) && !refused.test(it.text())) this.complain(it.text());
    });
    page.on("pageerror", (error) => this.complain(String(error)));
    page.on("response", (it) => { if (it.status() >= 500) this.complain(`${it.status()} ${it.url()}`); });
    page.on("request", (it) => {
      if (!it.isNavigationRequest() && !it.url().startsWith(this.server.url)) this.complain(`it asks for ${it.url()}`);
    });
    page.on("requestfailed", (it) => {
      // Whoever goes on to another page leaves a poll behind.
      const why = it.failure()?.errorText;
      if (why !== "net::ERR_ABORTED") this.complain(`${it.url()}: ${why}`);
    });
  }

  // The pages of an identity provider are not ours.
  complain(what) {
    if (this.isHere()) this.complaints.push(`${this.path()}: ${what}`);
  }

  isHere() { return this.page.url().startsWith(this.server.url); }
  path() { return new URL(this.page.url()).pathname; }
  text() { return this.page.$eval("body", (it) => it.innerText); }
  value(selector) { return this.page.$eval(selector, (it) => it.value); }
  has(selector) { return this.page.$(selector).then((it) => it !== null); }

  // Goes to a path; the status of what is there.
  async open(path) {
    const response = await this.page.goto(this.server.url + path, { waitUntil: "load" });
    await this.look();
    return response.status();
  }

  // Every page that is come to is held against the rules for pages, and has no secret anywhere in it.
  async look() {
    if (!this.isHere()) return;
    for (const it of await breaches(this.page)) this.complain(it);
    const source = await this.page.content();
    for (const secret of this.secrets) assert.ok(!source.includes(secret), `${this.path()} shows a secret`);
  }

  async sees(...wanted) {
    const text = await this.text();
    for (const it of wanted) assert.ok(text.includes(it), `${this.path()} does not say "${it}":\n${text}`);
  }

  async seesNot(...wanted) {
    const text = await this.text();
    for (const it of wanted) assert.ok(!text.includes(it), `${this.path()} says "${it}":\n${text}`);
  }

  // Waits until the page says it by itself.
  async awaits(wanted) {
    await this.page.waitForFunction((it) => document.body.innerText.includes(it), { polling: 100 }, wanted)
      .catch(async () => assert.fail(`${this.path()} never says "${wanted}":\n${await this.text()}`));
    await this.look();
  }

  // Loads a page again until its tables say it.
  async comesToSee(path, ...wanted) {
    let text = "";
    await until(async () => {
      await this.open(path);
      text = await this.page.$$eval("main tbody", (all) => all.map((it) => it.innerText).join("\n"));
      return wanted.every((it) => text.includes(it));
    }, () => `no table of ${path} ever says ${wanted}:\n${text}`);
  }

  // Fills fields of a form by name.
  async fill(form, values) {
    for (const [name, value] of Object.entries(values)) {
      const field = await this.page.waitForSelector(`${form} [name="${name}"]`);
      const kind = await field.evaluate((it) => it.type);
      if (kind === "select-one") await field.select(value);
      else if (kind === "checkbox") await this.page.click(`${form} [name="${name}"][value="${value}"]`);
      else {
        await field.focus();
        await field.evaluate((it) => it.select());
        if (value) await this.page.keyboard.sendCharacter(value);
        else await this.press("Delete");
      }
    }
  }

  // Puts a text into a field as pasting does, over what is there.
  async paste(selector, text) {
    await this.page.focus(selector);
    await this.page.$eval(selector, (it) => it.select());
    await this.page.keyboard.sendCharacter(text);
  }

  // Does something that leads to another page; its status.
  async follow(act) {
    const [response] = await Promise.all([this.page.waitForNavigation({ waitUntil: "load" }), act()]);
    await this.look();
    return response?.status();
  }

  // Presses a form's button and waits for the page that follows; its status.
  send(form, button = "button") {
    return this.follow(() => this.page.click(`${form} ${button}`));
  }

  async submit(form, values, button) {
    await this.fill(form, values);
    return this.send(form, button);
  }

  async signIn(name, password = PASSWORD) {
    await this.open("/sign-in");
    return this.submit('form[action="/sign-in"]', { name, password });
  }

  // Opens the question behind which a form is.
  unfold(form) {
    return this.page.$eval(form, (it) => { it.closest("details").open = true; });
  }

  // Opens the question behind which a dangerous button is, and presses it.
  async confirm(action) {
    const form = `form[action="${action}"]`;
    await this.unfold(form);
    return this.send(form);
  }

  press(key) { return this.page.keyboard.press(key); }

  // Goes on with the keyboard alone until something that fits has the focus.
  async tabTo(selector) {
    const there = () => this.page.evaluate((it) => document.activeElement.matches(it), selector);
    for (let stops = 0; stops < TAB_STOPS_MAX; stops += 1) {
      if (await there()) return;
      await this.press("Tab");
    }
    assert.fail(`${this.path()}: no way to ${selector} by the keyboard`);
  }

  // Presses a button that copies, and gives what is then in the clipboard.
  async copy(id) {
    await this.page.click(`[data-copy="${id}"]`);
    await this.page.waitForFunction((it) => document.querySelector(`[data-copy="${it}"]`).textContent === "Copied", {}, id);
    return this.page.evaluate(() => navigator.clipboard.readText());
  }

  // Sends a form from the page as a script of somebody clever would; the status of the answer.
  posts(path, fields = {}, { token = true } = {}) {
    return this.page.evaluate(async (path, fields, token) => {
      const csrf = document.querySelector('[name="csrf"]').value;
      const body = new URLSearchParams({ ...fields, ...(token && { csrf }) });
      return (await fetch(path, { method: "POST", body, redirect: "manual" })).status;
    }, path, fields, token);
  }

  async picture(name) {
    const whole = await this.page.evaluate(() => Math.max(900, document.documentElement.scrollHeight));
    const { width } = this.page.viewport();
    await this.page.setViewport({ width, height: whole });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), optimizeForSpeed: true });
    await this.page.setViewport({ width, height: 900 });
  }

  async leave() {
    await this.context.close();
    assert.deepEqual([...new Set(this.complaints)], [], "the browser complains");
  }
}
