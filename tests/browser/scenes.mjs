// Plays the scenes in their order, each on what the ones before have made: a company from the first run on.
import { launch } from "./person.mjs";
import { company } from "./stage.mjs";
import firstRun from "./scenes/first_run.mjs";
import pages from "./scenes/pages.mjs";
import people from "./scenes/people.mjs";
import policies from "./scenes/policies.mjs";
import signOn from "./scenes/single_sign_on.mjs";
import traffic from "./scenes/traffic.mjs";

const [server, gateway, ...words] = process.argv.slice(2);
const scenes = [firstRun, people, traffic, policies, signOn, pages].flat();

let failed = 0;
const browser = await launch();
const stage = { browser, programs: { server, gateway }, ...await company(server) };
try {
  for (const [name, act] of scenes) {
    // Later scenes stand on what the first one made.
    const first = name === scenes[0][0];
    if (words.length && !first && !words.some((word) => name.includes(word))) continue;
    const begun = performance.now();
    try {
      await act(stage);
      console.log(`ok     ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.stack}\n`);
      if (first) break;
    }
  }
} finally {
  await browser.close();
  await stage.leave();
}
console.log(failed ? `${failed} failed` : "all scenes hold");
process.exit(failed ? 1 : 0);
