// The wizard and the admin's pages in a real browser.
import { accessible, everyWay, harmless, hostile, inPage, must, picture, signIn, tabTo, test, token, ugly, url } from "./story.mjs";

await test("nobody sees a page before signing in, and a wrong token is told so", {}, async (page) => {
  await page.goto(`${url}/admin/pools`);
  must(new URL(page.url()).pathname === "/login", page.url());
  await page.fill("#token", "pdm_wrong");
  await page.press("#token", "Enter");
  await page.waitForSelector("#wrong");
  await accessible(page);
  await picture(page, "sign-in");
});

await test("the wizard from a typed name to live", {}, async (page) => {
  await signIn(page, "/wizard");
  await page.fill("input[name=name]", "https://Browser-One.omani.works/");
  await page.waitForSelector("[data-way=pool] .good");
  must((await page.textContent("#ways")).includes("console.browser-one.omani.works"), "the preview");
  must((await page.locator("#ways button[disabled]").count()) === 2, "it is no domain to be brought, and that is said");
  await picture(page, "wizard");
  await accessible(page);
  await page.click("#take-pool");
  await page.waitForURL("**/wizard/names/browser-one.omani.works");
  await accessible(page);
  await picture(page, "wizard-reserved");
  await page.fill("#address", "192.0.2.10");
  await page.click("form[action$='/commit'] button");
  // The strip follows by itself.
  await page.waitForSelector("#standing .verdict-active");
  must((await page.locator(".strip li.done").count()) >= 6, "six stations");
  await picture(page, "wizard-live");
});

await test("a taken name says why and proposes others", {}, async (page) => {
  await signIn(page, "/wizard?name=browser-one");
  const pool = page.locator("[data-way=pool]");
  await pool.locator(".problem").waitFor();
  must((await pool.textContent()).includes("name-taken"), "the code");
  must((await pool.locator("a.tag").count()) === 3, "three proposals");
  await everyWay(page, "wizard-taken");
  await page.goto(`${url}/wizard?name=admin`);
  must((await pool.textContent()).includes("name-reserved"), "the reserved label");
});

await test("one field takes anything, and what is typed further changes the ways at once", {}, async (page) => {
  await signIn(page, "/wizard");
  await everyWay(page, "wizard-empty");
  must((await page.locator("#ways button").count()) === 0, "nothing typed, nothing to press");
  const type = async (text, understood) => {
    await page.fill("input[name=name]", text);
    await page.locator("p.understood strong", { hasText: understood }).waitFor();
  };
  await type("  HTTPS://User@Acme.Example:443/path?x#y ", "acme.example");
  must((await page.locator("#take-byo-manual").isEnabled()) && (await page.locator("#take-pool").isDisabled()), "a domain of theirs");
  await type("bücher.example.", "xn--bcher-kva.example");
  must((await page.textContent("p.understood")).includes("bücher.example"), "as it is read");
  await everyWay(page, "wizard-idn", { keep: true });
  await type("-wrong-", "-wrong-");
  must((await page.textContent("[data-way=pool]")).includes("invalid-name"), "what is wrong with it");
  await type("co.uk", "co.uk");
  must((await page.textContent("[data-way=byo-manual]")).includes("public suffix"), "closed, with its reason");
  must((await page.evaluate(() => document.activeElement.name)) === "name", "the keyboard stayed where it was");
});

await test("the wizard without scripts", { javaScriptEnabled: false }, async (page) => {
  await signIn(page, "/wizard");
  await page.fill("input[name=name]", "browser-two");
  await page.click("form#choose button");
  await page.click("#take-pool");
  await page.fill("#address", "192.0.2.11");
  await page.click("form[action$='/commit'] button");
  for (let look = 0; look < 40 && !(await page.locator(".verdict-active").count()); look += 1) {
    await new Promise((done) => setTimeout(done, 250));
    await page.reload();
  }
  must(await page.locator(".verdict-active").count(), "it is live");
});

await test("the wizard with the keyboard alone", {}, async (page) => {
  await page.goto(`${url}/login?next=/wizard`);
  await tabTo(page, "#token");
  await page.keyboard.type(token);
  const at = (path) => page.waitForURL((place) => place.pathname.startsWith(path));
  await Promise.all([at("/wizard"), page.keyboard.press("Enter")]);
  await tabTo(page, "a.skip");
  await page.keyboard.press("Enter");
  await tabTo(page, "input[name=name]");
  await page.keyboard.type("browser-keys");
  await Promise.all([page.waitForURL((place) => place.search.includes("browser-keys")), page.keyboard.press("Enter")]);
  await tabTo(page, "#take-pool");
  await Promise.all([at("/wizard/names/"), page.keyboard.press("Enter")]);
});

await test("a domain that is brought by hand shows its proof, and is refused without it", {}, async (page) => {
  await signIn(page, "/wizard");
  await page.fill("input[name=name]", "https://Acme-Browser.example/");
  await page.click("#take-byo-manual");
  await page.waitForURL("**/wizard/names/acme-browser.example");
  const proof = await page.textContent("pre.lines");
  must(/^_pdm-challenge\.acme-browser\.example\. 300 IN TXT "[^"]{20,}"$/.test(proof.trim()), proof);
  await accessible(page);
  await picture(page, "wizard-claimed");
  await page.fill("#address", "192.0.2.12");
  await page.press("#address", "Enter");
  await page.waitForSelector("main .bad");
  must((await page.textContent("main .bad")).includes("ownership-unproved"), "the code");
  must((await page.inputValue("#address")) === "192.0.2.12", "what was typed is still there");
  must((await page.textContent("pre.lines")) === proof, "and so is what is to be done");
  await picture(page, "wizard-unproved");
});

await test("a domain that a registrar's API changes: what cannot work is closed, the rest asks for its credential", {}, async (page) => {
  await signIn(page, "/wizard");
  await page.fill("input[name=name]", "api-browser.example");
  await page.click("#take-byo-api");
  await page.waitForURL("**/wizard/names/api-browser.example");
  must(await page.locator("option[value=cloudflare]").isDisabled(), "no registry delegation at Cloudflare");
  await page.selectOption("#registrar", "ovh");
  await page.click("form[method=get] button");
  await page.waitForSelector("input[name^='credential.'][type=password]");
  await accessible(page);
  await picture(page, "wizard-registrar");
  for (const field of await page.locator("input[name^='credential.'][required]").all()) await field.fill("0123456789abcdef");
  for (const risk of await page.locator("input[name^='accept.']").all()) await risk.check();
  await page.fill("#address", "192.0.2.12");
  await page.fill("#typed", "another.example");
  await page.press("#typed", "Enter");
  await page.waitForSelector("main .bad");
  must((await page.textContent("main .bad")).includes("type the whole name"), "the confirmation");
});

await test("a link shows somebody else how a name stands, and nothing more", {}, async (page) => {
  await signIn(page, "/wizard/names/browser-keys.omani.works");
  await page.click("form[action$='/link'] button");
  const link = await page.getAttribute("a[href^='/s/']", "href");
  await inPage({}, async (other) => {
    await other.goto(url + link);
    must((await other.textContent("h1")).includes("browser-keys.omani.works"), "the name");
    must((await other.locator("main form, main button").count()) === 0, "nothing to press");
    must((await other.goto(`${url}${link.slice(0, -2)}AA`)).status() === 404, "a changed link");
    await other.goto(`${url}/wizard/names/browser-keys.omani.works`);
    must(new URL(other.url()).pathname === "/login", "the page itself asks for a token");
  });
});

await test("every page of the admin is accessible and fits, wide and narrow, left and right", {}, async (page) => {
  await signIn(page);
  const places = {
    list: "/admin", sovereign: "/admin/sovereigns/browser-one.omani.works", pools: "/admin/pools", operations: "/admin/operations",
    log: "/admin/audit-log", release: "/admin/sovereigns/browser-one.omani.works/confirm/release",
    suspend: "/admin/sovereigns/browser-one.omani.works/confirm/suspend", roll: "/admin/sovereigns/browser-one.omani.works/confirm/roll",
    missing: "/admin/sovereigns/nobody.omani.works", wizard: "/wizard", "wizard-answer": "/wizard?name=browser-one",
    "wizard-name": "/wizard/names/browser-one.omani.works",
  };
  for (const [name, place] of Object.entries(places)) {
    await page.goto(url + place);
    await everyWay(page, name);
  }
});

await test("the list finds names by their text", {}, async (page) => {
  await signIn(page, "/admin?q=BROWSER-t");
  must((await page.locator("tbody th a").allTextContents()).join() === "browser-two.omani.works", "one row");
  await page.goto(`${url}/admin?q=%25`);
  must((await page.locator("tbody th a").count()) === 0, "a pattern is a text");
});

await test("a release shows its plan and wants the name typed", {}, async (page) => {
  await signIn(page, "/admin/sovereigns/browser-two.omani.works");
  await page.click("a[href$='/confirm/release']");
  await page.fill("#typed", "browser-one.omani.works");
  await page.press("#typed", "Enter");
  await page.waitForSelector("#wrong");
  await page.fill("#typed", "Browser-Two.omani.works");
  await page.press("#typed", "Enter");
  await page.waitForURL("**/admin/sovereigns/browser-two.omani.works");
  must((await page.locator(".verdict-releasing, .verdict-quarantined").count()) === 1, "it goes down");
});

await test("nothing that is typed anywhere runs or breaks a page", {}, async (page) => {
  await signIn(page);
  // All at once, and what would be an address alone.
  for (const text of [hostile.join(" "), "javascript:alert(1)//"]) {
    const inside = encodeURIComponent(text);
    for (const place of [`/wizard?name=${inside}&pool=${inside}`, `/admin?q=${inside}&owner=${inside}&phase=${inside}&pool=${inside}&after=${inside}`,
      `/admin/audit-log?fqdn=${inside}&actor=${inside}`, `/admin/sovereigns/${inside}`, `/login?next=${inside}`, `/language?lang=${inside}&next=${inside}`,
      `/s/${inside}`, `/wizard/names/${inside}`, `/wizard/names/browser-one.omani.works?registrar=${inside}`, `/wizard/passport?name=${inside}`,
      `/wizard/check?name=${inside}`, `/frame?lang=${inside}`, `/admin/operations?who=${inside}`,
      `/admin/sovereigns/browser-one.omani.works?report=${inside}&compare=${inside}`, `/login/returned?state=${inside}&code=${inside}`,
      `/admin/sovereigns/browser-one.omani.works/confirm/fix?finding=${inside}`]) {
      await page.goto(url + place);
      must(page.url().startsWith(url), `${place} leads to ${page.url()}`);
      await harmless(page);
    }
    // As it is typed, by the page's own script.
    await page.goto(`${url}/wizard`);
    await page.fill("input[name=name]", text);
    await page.waitForSelector("#ways .understood");
    await harmless(page);
  }
  // What is refused is told on the same page, with what was typed.
  await page.goto(`${url}/wizard/names/acme-browser.example`);
  await page.fill("#address", hostile[1]);
  await page.press("#address", "Enter");
  await page.waitForSelector("#problem");
  must((await page.inputValue("#address")) === hostile[1], "what was typed");
  await harmless(page);
  await page.goto(`${url}/admin/sovereigns/browser-one.omani.works/confirm/suspend`);
  await page.fill("#reason", hostile[0] + hostile[1]);
  await page.fill("#typed", "browser-one.omani.works");
  await page.press("#typed", "Enter");
  await page.waitForURL("**/admin/sovereigns/browser-one.omani.works");
  must((await page.textContent("main")).includes(hostile[0]), "the reason is shown as it was typed");
  await harmless(page);
});

await test("a page without its stylesheet does not pass for one that looks as it did", { expects: /ERR_FAILED/ }, async (page) => {
  await page.route("**/assets/*.css", (route) => route.abort());
  await signIn(page);
  const places = { list: "/admin", operations: "/admin/operations", pools: "/admin/pools", wizard: "/wizard" };
  for (const [name, place] of Object.entries(places)) {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(url + place);
    await ugly(page, `${name}-1280-en`);
  }
});

await test("a form of another site is refused", {}, async (page) => {
  await signIn(page);
  const cookies = (await page.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
  const send = (headers, body) => fetch(`${url}/logout`, { method: "POST", redirect: "manual", body,
    headers: { "content-type": "application/x-www-form-urlencoded", cookie: cookies, ...headers } });
  must((await send({}, "form=AAAA")).status === 403, "a wrong field");
  must((await send({}, "")).status === 403, "no field");
  const right = await page.getAttribute("form[action='/logout'] input", "value");
  must((await send({ "sec-fetch-site": "cross-site" }, `form=${right}`)).status === 403, "another site");
  must((await send({}, `form=${right}`)).status === 303, "its own page");
});
