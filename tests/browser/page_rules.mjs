// What holds of every page: one heading, names for everything that can be used, nothing that the content policy would have
// to stop, nothing wider than the window, text that can be read.

// What this page does not keep to, a sentence each.
export function breaches(page) {
  return page.evaluate(() => {
    const found = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const shown = (it) => it.outerHTML.slice(0, 120);
    const seen = (it) => it.checkVisibility({ visibilityProperty: true });
    const named = (it) => (it.getAttribute("aria-label") || it.textContent).trim() !== "";

    if (!document.documentElement.lang) found.push("the page has no language");
    if (!/\S · AIRiskGuard$/.test(document.title)) found.push(`the page has the title "${document.title}"`);
    const headings = all("h1").filter((it) => seen(it) && named(it)).length;
    if (headings !== 1) found.push(`it has ${headings} first headings`);
    if (all("main").length !== 1) found.push("it has not one main part");
    let level = 1;
    for (const it of all("main h1, main h2, main h3, main h4")) {
      const next = Number(it.tagName[1]);
      if (next > level + 1) found.push(`a level of headings is left out before ${shown(it)}`);
      level = next;
    }

    for (const it of all("input:not([type=hidden]), select, textarea")) {
      if (!it.getAttribute("aria-label") && ![...it.labels].some(named)) found.push(`no label: ${shown(it)}`);
    }
    for (const it of all("button, a, summary")) if (!named(it)) found.push(`no name: ${shown(it)}`);
    for (const it of all("table")) if (!it.caption || !named(it.caption)) found.push(`no caption: ${shown(it)}`);
    for (const it of all("th")) if (!it.scope) found.push(`a heading of nothing: ${shown(it)}`);
    for (const it of all("img")) if (!it.hasAttribute("alt")) found.push(`no text instead: ${shown(it)}`);
    for (const it of all("[tabindex]")) if (it.tabIndex > 0) found.push(`an order of its own: ${shown(it)}`);
    const ids = all("[id]").map((it) => it.id);
    for (const it of ids.filter((it, index) => ids.indexOf(it) !== index)) found.push(`the id ${it} stands twice`);
    for (const attribute of ["for", "aria-describedby", "aria-labelledby"]) {
      for (const it of all(`[${attribute}]`)) {
        for (const id of it.getAttribute(attribute).split(" ")) {
          if (!ids.includes(id)) found.push(`${attribute} leads nowhere: ${shown(it)}`);
        }
      }
    }

    for (const it of all("[style]")) found.push(`a style in the page: ${shown(it)}`);
    for (const it of all("script:not([src]), style")) found.push(`not a file of its own: ${shown(it)}`);
    for (const it of all("*")) {
      for (const { name } of it.attributes) if (name.startsWith("on")) found.push(`a script in an attribute: ${shown(it)}`);
    }
    for (const it of all(".frame form")) {
      if (it.method === "post" && !it.querySelector('[name="csrf"]')) found.push(`a form without its token: ${shown(it)}`);
    }

    const beyond = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (beyond > 0) found.push(`it is ${beyond} pixels wider than the window of ${innerWidth}`);
    return found;
  });
}

// Texts whose contrast is under what WCAG 2 asks for (level AA), with the ratio.
export function faint(page) {
  return page.evaluate(() => {
    const channels = (text) => text.match(/[\d.]+/g).map(Number);
    const linear = (it) => (it / 255 <= 0.04045 ? it / 255 / 12.92 : ((it / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    // The nearest ground behind a text that hides what is under it.
    const ground = (it) => {
      for (let at = it; at; at = at.parentElement) {
        const colour = channels(getComputedStyle(at).backgroundColor);
        if ((colour[3] ?? 1) === 1) return colour;
      }
      return [255, 255, 255];
    };
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const it = walker.currentNode.parentElement;
      const off = it.closest(":disabled, .unseen, .skip, svg");
      if (off || !walker.currentNode.data.trim() || !it.checkVisibility({ visibilityProperty: true })) continue;
      const style = getComputedStyle(it);
      const [one, other] = [luminance(channels(style.color)), luminance(ground(it))];
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) {
        found.add(`${ratio.toFixed(2)} of "${walker.currentNode.data.trim().slice(0, 40)}" (${it.className || it.tagName})`);
      }
    }
    return [...found];
  });
}
