// The wizard inside somebody else's page. The ticket in the fragment becomes a bearer that stays in this closure; pages are
// fetched with it and shown here, links and forms go the same way. Whoever shows the frame is told what came of it, by a
// message to its exact origin that holds no secret.
"use strict";
(() => {
  const ticket = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  const lang = document.documentElement.lang;
  let bearer = "";
  let origin = "";
  let told = "";

  const tell = (event, more = {}) => {
    if (origin && window.parent !== window) window.parent.postMessage({ type: "pdm", event, ...more }, origin);
  };

  const over = () => {
    bearer = "";
    document.getElementById("content").removeAttribute("aria-busy");
    document.getElementById("frame-over")?.removeAttribute("hidden");
    tell("over");
  };

  // What the pages' own script asks with, in place of fetch.
  window.pdmAsk = (address, options = {}) => fetch(address, {
    ...options, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
    headers: { ...options.headers, authorization: `Bearer ${bearer}`, "accept-language": lang },
  });

  // Once for each state of a name.
  const outcome = () => {
    const state = document.querySelector("[data-outcome]")?.dataset;
    if (!state) return;
    const { fqdn, mode, phase, verdict } = state;
    const now = JSON.stringify([fqdn, phase, verdict]);
    if (now !== told) {
      told = now;
      tell("name", { fqdn, mode, phase, verdict });
    }
  };

  let live = new AbortController();
  const show = async (address, options) => {
    live.abort();
    live = new AbortController();
    const answer = await window.pdmAsk(address, options);
    const place = new URL(answer.url);
    if (!place.pathname.startsWith("/wizard")) return over();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("content").replaceWith(document.adoptNode(page.getElementById("content")));
    document.title = page.title;
    document.getElementById("content").focus();
    document.dispatchEvent(new CustomEvent("pdm:shown", { detail: { signal: live.signal } }));
  };

  document.addEventListener("pdm:shown", outcome);
  document.addEventListener("pdm:changed", outcome);

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || link.target === "_blank" || link.getAttribute("href").startsWith("#")) return;
    const place = new URL(link.href);
    if (place.origin !== location.origin) return;
    event.preventDefault();
    if (bearer && place.pathname.startsWith("/wizard")) show(place.pathname + place.search);
    else window.open(place.href, "_blank", "noopener");
  });

  document.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    const place = new URL(form.action);
    if (!bearer || place.origin !== location.origin) return;
    if (form.method === "get") show(`${place.pathname}?${fields}`);
    else show(place.pathname, { method: "POST", body: fields });
  });

  const open = async () => {
    const answer = await fetch("/frame/session", {
      method: "POST", credentials: "omit", headers: { "content-type": "application/json" }, body: JSON.stringify({ ticket }),
    });
    if (!answer.ok) return over();
    const opened = await answer.json();
    ({ bearer, origin } = opened);
    setTimeout(over, new Date(opened.expiresAt) - Date.now());
    await show(opened.start);
    tell("ready");
    new ResizeObserver(() => tell("height", { height: document.documentElement.scrollHeight })).observe(document.body);
  };

  // Shown by nobody, it is not a frame: the wizard has a page of its own.
  if (window.parent === window) location.replace("/wizard");
  else if (ticket) open();
  else over();
})();
