// Pages are whole without this. It makes times local, counts down, copies, checks while typing, and follows changes.
"use strict";
(() => {
  const lang = document.documentElement.lang;
  const local = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" });
  const left = new Intl.RelativeTimeFormat(lang, { numeric: "always" });

  const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];

  const times = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.textContent = local.format(at);
        time.title = time.dateTime;
      }
    }
  };

  const count = () => {
    for (const time of document.querySelectorAll("time[data-countdown]")) {
      const seconds = Math.round((new Date(time.dateTime) - Date.now()) / 1000);
      const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= 2 * size) ?? ["second", 1];
      const text = left.format(Math.round(seconds / size), unit);
      time.textContent = `${local.format(new Date(time.dateTime))} (${text})`;
    }
  };

  // Make one part like another and touch nothing else: what is open, what was typed and where the keyboard is stay, and
  // readers aloud hear what changed and no more.
  const become = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (old.matches("textarea")) return;
    const left = [...old.childNodes];
    const like = (next) => left.findIndex((node) => node.nodeName === next.nodeName && (node.id ?? "") === (next.id ?? ""));
    const pairs = [...fresh.childNodes].map((next) => [next, left.splice(like(next) >>> 0, 1)[0]]);
    for (const node of left) node.remove();
    let at = old.firstChild;
    for (const [next, same] of pairs) {
      if (same) become(same, next);
      if (same && same === at) at = at.nextSibling;
      else old.insertBefore(same ?? document.adoptNode(next), at);
    }
  };

  // Text of the server is parsed as a document of its own; scripts in it would not run, and there are none.
  const replace = (id, html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(id);
    const old = document.getElementById(id);
    if (fresh && old) {
      times(fresh);
      become(old, fresh);
      count();
    }
  };

  // A frame asks with a bearer of its own; see frame.js.
  const ask = (address, options = {}) =>
    window.pdmAsk ? window.pdmAsk(address, options) : fetch(address, { credentials: "same-origin", ...options });

  const load = async (address, id) => {
    const answer = await ask(address, { headers: { accept: "text/html" } });
    if (answer.ok && !answer.redirected) replace(id, await answer.text());
    document.dispatchEvent(new Event("pdm:changed"));
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = "copyAbsolute" in button.dataset ? new URL(button.dataset.copy, location.href).href : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
      button.dataset.copied = "yes";
      button.textContent = "✓";
    } catch {
      // Not allowed in a frame: what is to be copied is marked instead.
      getSelection().selectAllChildren(button.previousElementSibling ?? button.parentElement);
    }
  });

  // What takes longer than a page should is fetched afterwards.
  const fill = () => {
    for (const part of document.querySelectorAll("[data-load]")) load(part.dataset.load, part.id);
  };

  // A form whose answer goes into one part of the page, so that what was typed stays.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-inline]");
    if (!button) return;
    event.preventDefault();
    button.setAttribute("aria-busy", "true");
    const answer = await ask(button.formAction, { method: "POST", body: new URLSearchParams(new FormData(button.form)) });
    replace(button.dataset.inline, await answer.text());
    button.removeAttribute("aria-busy");
  });

  let timer = 0;
  let asked = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-check]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const turn = ++asked;
      const query = new URLSearchParams(new FormData(form));
      const answer = await ask(`${form.dataset.check}?${query}`);
      if (turn === asked && answer.ok && !answer.redirected) replace(form.dataset.into, await answer.text());
    }, 200);
  });

  // The events of a name, for a frame, whose bearer an EventSource cannot carry.
  const stream = async (base, signal) => {
    try {
      const answer = await ask(`${base}/events`, { signal });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (value.includes("event: change")) load(`${base}/strip`, "standing");
      }
    } catch {
      // Gone, or another page is shown: what follows decides.
    }
    if (!signal.aborted) setTimeout(() => stream(base, signal), 2000);
  };

  const follow = (signal) => {
    const base = document.querySelector("[data-live]")?.dataset.live;
    if (!base) return;
    if (signal) stream(base, signal);
    else new EventSource(`${base}/events`).addEventListener("change", () => load(`${base}/strip`, "standing"));
  };

  document.addEventListener("pdm:shown", (event) => {
    times(document);
    count();
    fill();
    follow(event.detail.signal);
  });
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });

  // A link that signs in once: what stands behind its # goes to the server as a form, and out of the address.
  const enter = () => {
    const ticket = document.querySelector("input[data-fragment]");
    if (!ticket || location.hash.length < 2) return;
    ticket.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
    ticket.form.submit();
  };
  window.addEventListener("hashchange", enter);
  enter();

  times(document);
  count();
  if (!window.pdmAsk) {
    fill();
    follow();
  }
  setInterval(count, 1000);
})();
