// Pages are whole without this. It makes times local, counts down, copies, checks while typing, and follows changes.
"use strict";
(() => {
  const lang = document.documentElement.lang;
  const local = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "medium" });
  const left = new Intl.RelativeTimeFormat(lang, { numeric: "always" });

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
      const text = Math.abs(seconds) < 120 ? left.format(seconds, "second") : left.format(Math.round(seconds / 60), "minute");
      time.textContent = `${local.format(new Date(time.dateTime))} (${text})`;
    }
  };

  // Text of the server is parsed as a document of its own; scripts in it would not run, and there are none.
  const replace = (id, html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(id);
    const old = document.getElementById(id);
    if (fresh && old) {
      old.replaceWith(document.adoptNode(fresh));
      times(document.getElementById(id));
      count();
    }
  };

  const load = async (address, id) => {
    const answer = await fetch(address, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (answer.ok && !answer.redirected) replace(id, await answer.text());
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = "copyAbsolute" in button.dataset ? new URL(button.dataset.copy, location.href).href : button.dataset.copy;
    await navigator.clipboard.writeText(text);
    button.dataset.copied = "yes";
    button.textContent = "✓";
  });

  const form = document.querySelector("form[data-check]");
  if (form) {
    let timer = 0;
    let asked = 0;
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const turn = ++asked;
        const query = new URLSearchParams(new FormData(form));
        const answer = await fetch(`${form.dataset.check}?${query}`, { credentials: "same-origin" });
        if (turn === asked && answer.ok && !answer.redirected) replace("availability", await answer.text());
      }, 200);
    });
  }

  const live = document.querySelector("[data-live]");
  if (live) {
    const base = live.dataset.live;
    const source = new EventSource(`${base}/events`);
    source.addEventListener("change", () => load(`${base}/strip`, "standing"));
  }

  times(document);
  count();
  setInterval(count, 1000);
})();
