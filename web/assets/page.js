// What pages do beyond links and forms: the theme, live parts, forms answered in place, copying, line numbers. Pages work
// without it; markup says what is wanted by data attributes:
//
//   data-poll="5" [data-from="/path"]   on an element with an id: its content is fetched again every 5 seconds
//   data-swap="id"                      on a form: what it answers replaces that element instead of the page
//   data-copy="id"                      on a button: copies that element's text
//   data-lines                          on a textarea in .editor: line numbers beside it
//   data-search                         on a field: `/` goes there
//   data-theme-switch, data-pause="id"  on buttons
"use strict";
(() => {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();

  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  function themeSwitch(button) {
    const show = () => { button.textContent = isDark() ? "Light" : "Dark"; button.hidden = false; };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* for this page only */ }
      show();
    });
    show();
  }

  // The same element of another page, or the whole where the answer is a part.
  async function part(response, id) {
    const other = new DOMParser().parseFromString(await response.text(), "text/html");
    return other.getElementById(id) ?? other.body;
  }

  function put(element, found) {
    if (element.innerHTML === found.innerHTML) return;
    element.replaceChildren(...[...found.childNodes].map((node) => document.importNode(node, true)));
    enhance(element);
  }

  function poll(element) {
    const seconds = Number(element.dataset.poll);
    const address = element.dataset.from ?? location.pathname + location.search;
    let misses = 0;
    async function round() {
      const busy = element.contains(document.activeElement) && document.activeElement.matches("input,textarea,select");
      const open = element.querySelector("details[open]");
      if (!document.hidden && !busy && !open && !("paused" in element.dataset)) {
        try {
          const response = await fetch(address);
          if (response.redirected) return location.reload();
          if (!response.ok) throw new Error(response.status);
          misses = 0;
          const found = await part(response, element.id);
          put(element, found);
          // The last answer says that there is nothing more to wait for.
          if (found.dataset.done !== undefined || found.querySelector("[data-done]")) return;
        } catch { misses = Math.min(misses + 1, 6); }
      }
      setTimeout(round, seconds * 1000 * 2 ** misses);
    }
    setTimeout(round, seconds * 1000);
  }

  function swap(form) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const target = document.getElementById(form.dataset.swap);
      const button = event.submitter;
      const body = new URLSearchParams(new FormData(form, button));
      // Not `form.action`: that is the field of this name, where there is one.
      const action = button?.getAttribute("formaction") ?? form.getAttribute("action");
      const sent = form.method === "get"
        ? fetch(`${action.split("?")[0]}?${body}`) : fetch(action, { method: "POST", body });
      if (button) button.disabled = true;
      target.setAttribute("aria-busy", "true");
      try {
        const response = await sent;
        if (response.redirected) return location.assign(response.url);
        put(target, await part(response, target.id));
        if (form.method === "get") history.replaceState(null, "", `?${body}`);
      } catch {
        form.submit();
      } finally {
        if (button) button.disabled = false;
        target.removeAttribute("aria-busy");
      }
    });
  }

  function copy(button) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const said = button.textContent;
      try {
        await navigator.clipboard.writeText(source.textContent.trim());
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = said; }, 1500);
    });
  }

  function lines(area) {
    const numbers = document.createElement("div");
    numbers.className = "lines";
    numbers.setAttribute("aria-hidden", "true");
    area.before(numbers);
    const column = document.createElement("pre");
    numbers.append(column);
    const follow = () => { numbers.scrollTop = area.scrollTop; };
    const count = () => {
      const total = area.value.split("\n").length;
      column.textContent = Array.from({ length: total }, (_, index) => index + 1).join("\n");
      follow();
    };
    area.addEventListener("input", count);
    area.addEventListener("scroll", follow);
    // Tab indents; Escape gives the key back to moving on, for those who use no mouse.
    let indents = true;
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") indents = false;
      else if (event.key === "Tab" && !event.shiftKey && indents) {
        event.preventDefault();
        area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
        count();
      }
    });
    area.addEventListener("focus", () => { indents = true; });
    count();
  }

  function pause(button) {
    const element = document.getElementById(button.dataset.pause);
    button.hidden = false;
    button.addEventListener("click", () => {
      const paused = "paused" in element.dataset;
      if (paused) delete element.dataset.paused; else element.dataset.paused = "";
      button.textContent = paused ? "Pause" : "Go on";
      button.setAttribute("aria-pressed", String(!paused));
    });
  }

  function enhance(part) {
    const each = (selector, act) => part.querySelectorAll(selector).forEach(act);
    each("[data-theme-switch]", themeSwitch);
    each("[data-poll]", poll);
    each("form[data-swap]", swap);
    each("[data-copy]", copy);
    each("textarea[data-lines]", lines);
    each("[data-pause]", pause);
  }

  document.addEventListener("DOMContentLoaded", () => {
    enhance(document);
    // Where the navigation is a line that scrolls, one sees where one is.
    document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  });

  document.addEventListener("keydown", (event) => {
    const open = document.querySelector("details.sure[open]");
    if (event.key === "Escape" && open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (event.key === "/" && !event.target.closest("input,textarea,select")) {
      const field = document.querySelector("[data-search]");
      if (field) { event.preventDefault(); field.focus(); }
    }
  });

  // One question at a time.
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches("details.sure") || !event.target.open) return;
    document.querySelectorAll("details.sure[open]").forEach((it) => { if (it !== event.target) it.open = false; });
  }, true);
})();
