// Every page as it looks, light and dark, wide and narrow; and that what is wrong with a page is noticed at all.
import assert from "node:assert/strict";
import { breaches, faint } from "../page_rules.mjs";
import { Person } from "../person.mjs";

async function lightAndDark(stage) {
  const olga = await Person.enter(stage, { dark: true });
  await olga.open("/sign-in");
  await olga.picture("dark-sign-in");
  await olga.signIn("olga");
  const ground = () => olga.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await ground(), "rgb(19, 20, 21)");
  await olga.page.click("[data-theme-switch]");
  assert.equal(await ground(), "rgb(250, 250, 248)");
  await olga.open("/teams");
  assert.equal(await ground(), "rgb(250, 250, 248)", "the choice is kept");
  await olga.leave();
}

async function everyPage(stage) {
  for (const [kind, look] of [["page", {}], ["narrow", { wide: 390 }], ["dark", { dark: true }]]) {
    const olga = await Person.enter(stage, look);
    await olga.signIn("olga");
    await olga.open("/teams");
    const paths = await olga.page.$$eval(".side nav a", (all) => all.map((it) => it.getAttribute("href")));
    assert.ok(paths.length >= 7, `${paths}`);
    const deeper = ["/teams/red", "/policies/default", "/policies/default/versions/2", "/rules/organisation", stage.record];
    for (const path of [...paths, ...deeper.filter(Boolean)]) {
      const status = await olga.open(path);
      // Where only some of the scenes are played, nothing may have been published.
      assert.ok(status === 200 || (status === 404 && path.includes("versions")), `${path} answers ${status}`);
      assert.deepEqual(await faint(olga.page), [], `${path}: everything can be read`);
      const name = path === stage.record ? "record" : path.slice(1).replaceAll("/", "-") || "overview";
      await olga.picture(`${kind}-${name}`);
    }
    if (look.wide) await narrowQuestion(olga);
    await olga.leave();
  }
}

// A question beside a button that one has to scroll to is in the window all the same.
async function narrowQuestion(olga) {
  await olga.open("/teams/platform");
  const summary = "details.sure summary.plain.danger";
  await olga.page.$eval(summary, (it) => it.scrollIntoView());
  await olga.page.click(summary);
  const inside = await olga.page.$eval("details.sure[open] > div", (it) => {
    const { left, right, top, bottom } = it.getBoundingClientRect();
    return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight;
  });
  assert.ok(inside, "the question is beyond the window");
  await olga.look();
  await olga.picture("narrow-question");
}

// Each thing that would fail a scene is done on purpose.
async function noticed(stage) {
  const olga = await Person.enter(stage);
  await olga.signIn("olga");
  const complains = async (wanted, act) => {
    await olga.page.evaluate(act);
    await olga.page.waitForFunction(() => true);
    const deadline = performance.now() + 60_000;
    while (!olga.complaints.some((it) => it.includes(wanted)) && performance.now() < deadline) await olga.look();
    assert.ok(olga.complaints.some((it) => it.includes(wanted)), `nobody notices: ${wanted}`);
    olga.complaints.length = 0;
  };
  await complains("content policy: script-src", () => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'taken over'";
    document.head.append(script);
  });
  assert.notEqual(await olga.page.title(), "taken over", "the content policy stops it");
  await olga.open("/");
  await complains("content policy: style-src", () => document.body.setAttribute("style", "color: red"));
  await olga.open("/");
  await complains("out of order", () => { setTimeout(() => { throw new Error("out of order"); }); });
  await complains("elsewhere.example", () => { new Image().src = "http://elsewhere.example/picture"; });
  olga.complaints.length = 0;

  await olga.page.evaluate(() => {
    const add = (html) => document.querySelector("main").insertAdjacentHTML("beforeend", html);
    add('<h1>Another</h1><h4>Too deep</h4><input><button></button><table></table><p id="main"></p>');
    add('<label for="nothing">x</label><form method="post"></form>');
    document.querySelector("main p").className = "wider";
    document.querySelector("main").append(Object.assign(document.createElement("textarea"), { cols: 400 }));
  });
  const found = (await breaches(olga.page)).join("\n");
  for (const it of ["2 first headings", "left out", "no label", "no name", "no caption", "stands twice", "leads nowhere",
    "without its token"]) assert.ok(found.includes(it), `nobody notices: ${it}\n${found}`);
  await olga.context.close();
}

export default [
  ["light and dark, by the system and by hand", lightAndDark],
  ["every page draws without a complaint, wide, narrow and dark", everyPage],
  ["what is wrong with a page is noticed", noticed],
];
