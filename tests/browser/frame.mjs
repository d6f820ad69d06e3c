// The wizard in a frame of a console's page. Two consoles are served here, on sites of their own: one is configured, the
// other is not. Their pages ask for a ticket on the server's side, as docs/how-to/embed.md says.
import http from "node:http";
import { axe, inPage, more, must, picture, signIn, test, token, url } from "./story.mjs";

const ask = (path, body, headers = {}) =>
  fetch(url + path, { method: "POST", redirect: "manual", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
const asConsole = { authorization: `Bearer ${token}` };

// What a console's server does for a page.
async function consolePage(request, response) {
  const wanted = new URL(request.url, more.console);
  let address = wanted.searchParams.get("plain");
  if (!address) {
    const body = { origin: more.console, owner: "acme", ...(wanted.searchParams.get("fqdn") && { fqdn: wanted.searchParams.get("fqdn") }) };
    address = (await (await ask("/v1/frames", body, asConsole)).json()).address;
  }
  response.setHeader("content-type", "text/html");
  response.end(`<!doctype html><html lang="en"><title>console</title><h1>Console</h1>
    <iframe title="Domain" src="${url}${address}" width="1100" height="800" sandbox="allow-scripts allow-same-origin allow-forms allow-popups"></iframe>
    <script>
      window.messages = []; window.strangers = 0;
      addEventListener("message", (event) => { if (event.origin === "${new URL(url).origin}") messages.push(event.data); else strangers += 1; });
    </script></html>`);
}

for (const origin of [more.console, more.stranger]) {
  const { hostname, port } = new URL(origin);
  await new Promise((ready) => http.createServer(consolePage).listen(Number(port), hostname, ready));
}

const frameOf = async (page) => {
  const frame = await (await page.waitForSelector("iframe")).contentFrame();
  await frame.waitForSelector("main form, main .strip");
  return frame;
};
const heard = (page, event) => page.waitForFunction((event) => window.messages.find((m) => m.event === event), event);

async function accessibleIn(frame) {
  await frame.evaluate(axe);
  const found = await frame.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
  must(bad.length === 0, bad.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`).join("\n"));
}

await test("a console's user holds a name in the frame and sees it come alive, without a cookie", {}, async (page) => {
  let session;
  page.on("response", async (answer) => {
    if (answer.url().endsWith("/frame/session")) session = await answer.json();
  });
  await page.goto(more.console);
  const frame = await frameOf(page);
  must(!(await frame.evaluate(() => location.href)).includes("#"), "the ticket is out of the address");
  await heard(page, "ready");
  await frame.fill("input[name=name]", "framed-one");
  await frame.waitForSelector("[data-way=pool] .good");
  await accessibleIn(frame);
  await picture(page, "frame-wizard");
  await frame.click("#take-pool");
  await frame.waitForSelector("h1:has-text('framed-one.omani.works')");
  await frame.fill("#address", "192.0.2.30");
  await frame.click("form[action$='/commit'] button");
  await frame.waitForSelector("#standing .verdict-active");
  await picture(page, "frame-live");
  await page.waitForFunction(() => window.messages.some((m) => m.event === "name" && m.phase === "active"));
  const told = await page.evaluate(() => window.messages);
  must(told.every((m) => m.type === "pdm"), "every message says whose it is");
  must(told.some((m) => m.fqdn === "framed-one.omani.works" && m.phase === "reserved" && m.mode === "pool"), JSON.stringify(told));
  must(!JSON.stringify(told).includes(session.bearer) && !JSON.stringify(told).includes(token), "no message holds a secret");
  must((await page.context().cookies()).length === 0, "no cookie was set");
  // Where a browser lets a frame store anything at all.
  const stored = await frame.evaluate(() => {
    try {
      return localStorage.length + sessionStorage.length;
    } catch {
      return 0;
    }
  });
  must(stored === 0, "nothing is stored");

  // The bearer opens the wizard and nothing else.
  const shown = { authorization: `Bearer ${session.bearer}` };
  const status = async (path) => (await fetch(url + path, { redirect: "manual", headers: shown })).status;
  must((await status("/wizard")) === 200, "the wizard");
  for (const path of ["/admin", "/admin/operations", "/admin/sovereigns/framed-one.omani.works", "/"]) must((await status(path)) === 403, path);
  must((await status("/v1/allocations")) === 401, "the API does not know it");
  must((await status("/wizard/names/drifted.omani.works")) === 404, "somebody else's name");
  const listed = await (await fetch(`${url}/v1/allocations/framed-one.omani.works`, { headers: asConsole })).json();
  must(listed.owner === "acme", "it belongs to whom the ticket named");
});

await test("a ticket opens one frame, once", {}, async (page) => {
  const made = await (await ask("/v1/frames", { origin: more.console, owner: "acme" }, asConsole)).json();
  must((await ask("/frame/session", { ticket: made.ticket })).status === 200, "first");
  must((await ask("/frame/session", { ticket: made.ticket })).status === 403, "second");
  must((await ask("/frame/session", { ticket: `${made.ticket.slice(0, -2)}AA` })).status === 403, "changed");
  must((await ask("/frame/session", { ticket: "" })).status === 403, "none");
  must((await ask("/v1/frames", { origin: more.console })).status === 401, "a ticket needs a token");
  must((await ask("/v1/frames", { origin: more.console, owner: "acme" }, { authorization: `Bearer ${more.auditor}` })).status === 403, "and a role that reserves");
  await page.goto(`${more.console}/?plain=${encodeURIComponent(`/frame#${made.ticket}`)}`);
  const frame = await (await page.waitForSelector("iframe")).contentFrame();
  await frame.waitForSelector("#frame-over:not([hidden])");
  await accessibleIn(frame);
  await picture(page, "frame-over");
  must((await page.evaluate(() => window.messages.length)) === 0, "nobody is told");
});

await test("a held name is shown in a frame again, in Arabic", { locale: "ar" }, async (page) => {
  await page.goto(`${more.console}/?fqdn=framed-one.omani.works`);
  const frame = await frameOf(page);
  must((await frame.textContent("h1")).includes("framed-one.omani.works"), "the name");
  must((await frame.getAttribute("html", "dir")) === "rtl", "from right to left");
  await accessibleIn(frame);
  await picture(page, "frame-ar");
});

await test("no other site shows the frame, and no site shows another page in one", { expects: /frame|framing|X-Frame|Content Security/i }, async (page) => {
  const refused = await ask("/v1/frames", { origin: more.stranger }, asConsole);
  must(refused.status === 403 && (await refused.json()).code === "frame-refused", "no ticket for a stranger");
  await page.goto(more.stranger);
  const blocked = async (what) => {
    await page.waitForTimeout(300);
    const frame = await (await page.waitForSelector("iframe")).contentFrame();
    must((await frame.locator("main").count()) === 0, what);
  };
  await blocked("a stranger's page");
  await inPage({ expects: /frame|framing|X-Frame|Content Security/i }, async (other) => {
    await signIn(other);
    for (const place of ["/admin", "/wizard", "/login"]) {
      await other.goto(`${more.console}/?plain=${encodeURIComponent(place)}`);
      await other.waitForTimeout(200);
      const frame = await (await other.waitForSelector("iframe")).contentFrame();
      must((await frame.locator("main").count()) === 0, `${place} in a frame`);
    }
  });
});

await test("a registrar's credential is not asked for inside a frame, and not taken", {}, async (page) => {
  let session;
  page.on("response", async (answer) => {
    if (answer.url().endsWith("/frame/session")) session = await answer.json();
  });
  await page.goto(more.console);
  const frame = await frameOf(page);
  await frame.fill("input[name=name]", "framed-api.example");
  await frame.click("#take-byo-api");
  await frame.waitForSelector("h1:has-text('framed-api.example')");
  must((await frame.locator("input[type=password], select#registrar").count()) === 0, "no field for it");
  const link = frame.locator("a[target=_blank][href='/wizard/names/framed-api.example']");
  must((await link.count()) === 1, "the way out");
  await accessibleIn(frame);
  await picture(page, "frame-credential");
  const form = await frame.locator("input[name=form]").first().getAttribute("value");
  const sent = await fetch(`${url}/wizard/names/framed-api.example/commit`, {
    method: "POST", redirect: "manual", headers: { authorization: `Bearer ${session.bearer}`, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ form, registrar: "ovh", typed: "framed-api.example", address: "192.0.2.1", "credential.appKey": "0123456789abcdef" }),
  });
  must(sent.status === 403, `sent all the same: ${sent.status}`);
});
