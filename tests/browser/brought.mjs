// A domain that its owner brings, from a typed name to live, in a closed internet: by hand with a person at the registry, or
// by a registrar's API, as `more.mode` says. What people do elsewhere is asked for by a file, which is taken away when done.
import fs from "node:fs";
import { accessible, everyWay, inPage, more, must, picture, signIn, test, until, url } from "./story.mjs";

const place = `${url}/wizard/names/${more.domain}`;
// Times of the DNS pass in between, on a machine that may be busy.
const PATIENCE = { timeout: 120_000 };

async function person(what) {
  const file = `${more.dir}/person-${what}`;
  fs.writeFileSync(file, "");
  await until(`a person: ${what}`, () => !fs.existsSync(file));
}

// From whatever was pasted to a claim, with the passport of the domain on the way.
async function claim(page) {
  await signIn(page, `/wizard?name=https://${more.domain.toUpperCase()}/`);
  await page.waitForSelector("#passport dl");
  const seen = await page.textContent("#passport");
  for (const part of [more.domain, more.old, ...more.ours, "mx1.acme.com", "DS "]) must(seen.includes(part), `${part} in ${seen}`);
  must((await page.locator("#passport ol li").count()) >= 3, "the plan has its stages");
  await everyWay(page, `passport-${more.mode}`);
  // A domain is no name of a pool, and its first label might be.
  must(await page.locator("#take-pool").isDisabled(), "the pool is closed, with its reason");
  must((await page.textContent("[data-way=pool] .tag")).startsWith("acme."), "and proposes");
  await page.click(`#take-${more.mode}`);
  await page.waitForURL(place);
  await page.waitForSelector("#passport dl");
  await everyWay(page, `claimed-${more.mode}`);
}

// Everything of the old zone is shown, as text.
async function carried(page) {
  const text = await page.textContent("#carried");
  for (const one of more.texts) must(text.includes(one), `${one} in ${text}`);
  must(text.includes("carried over"), text);
  await accessible(page);
}

const refused = async (page, code) => {
  await page.waitForSelector("main .bad");
  must((await page.textContent("main .bad")).includes(code), code);
  await accessible(page);
};

if (more.mode === "byo-manual") {
  await test("without scripts, the passport comes when it is asked for", { javaScriptEnabled: false }, async (page) => {
    await signIn(page, `/wizard?name=${more.domain}`);
    await page.click("#passport a");
    must((await page.textContent("#passport")).includes(more.old), "the servers of today");
  });

  await test("a customer follows the instructions, one by one, to a live domain", {}, async (page) => {
    await claim(page);
    await page.fill("#address", more.address);
    await page.press("#address", "Enter");
    await refused(page, "ownership-unproved");
    await picture(page, "brought-unproved");
    await person("proves");
    await page.goto(place);
    await page.fill("#address", more.address);
    await page.press("#address", "Enter");
    await page.waitForURL(place);
    const told = async (action, parts) => {
      await page.waitForSelector(`.card.yours[data-action="${action}"]`, PATIENCE);
      const card = await page.textContent(".card.yours");
      for (const part of parts) must(card.includes(part), `${action}: ${part} in ${card}`);
      must((await page.locator(".strip li.yours").count()) > 0, `${action}: a station waits for a person`);
      must((await page.locator(".card.yours details dt").count()) >= 5, `${action}: menus of registrars`);
      await accessible(page);
      await picture(page, `brought-${action}`);
    };
    const seenAt = async (count) => {
      const heading = page.locator("h2", { hasText: `${count} / 2` });
      await heading.waitFor(PATIENCE);
    };
    await told("remove-ds", ["DS"]);
    await carried(page);
    await everyWay(page, "brought-instruction");
    // Somebody else's DNS admin sees the same and can press nothing.
    await page.click("form[action$='/link'] button");
    const link = await page.getAttribute("a[href^='/s/']", "href");
    await inPage({}, async (other) => {
      await other.goto(url + link);
      must((await other.textContent("main")).includes("DS"), "the instruction");
      must((await other.locator("main form").count()) === 0, "nothing to press");
      await everyWay(other, "brought-link");
    });
    // The tab is closed, and the page's address opens where it was, in another browser.
    await inPage({}, async (later) => {
      await signIn(later, new URL(place).pathname);
      await later.waitForSelector('.card.yours[data-action="remove-ds"]');
    });
    await page.goto(place);
    await person("obeys");
    await told("set-ns", more.ours);
    await seenAt(0);
    // One of two servers of the registry answers with the new delegation: both answers are shown, and PDM waits.
    await person("lags");
    await person("obeys");
    await seenAt(1);
    await everyWay(page, "brought-half");
    await person("catches-up");
    await seenAt(2);
    await told("add-ds", ["DS", "DNSKEY 257 3 13"]);
    await person("obeys");
    await page.waitForSelector("#standing .verdict-active", PATIENCE);
    must((await page.locator(".card.yours").count()) === 0, "nobody has to act");
    must((await page.textContent("#standing")).includes("Receipt of the last proof"), "the receipt");
    await everyWay(page, "brought-live");
    await carried(page);
  });
} else {
  await test("a registrar's API moves the domain: capability, recipe, credential, plan, confirmation, log, receipt", {}, async (page) => {
    await claim(page);
    await person("proves");
    await page.selectOption("#registrar", more.registrar);
    await page.click("form[method=get] button");
    await page.waitForSelector("input[name^='credential.']");
    const card = await page.textContent("section.card:has(#registrar)");
    must(card.includes("The least that the credential must be able to do") && card.includes("as DS records"), card);
    const fill = async (values) => {
      for (const [name, value] of Object.entries(values)) await page.fill(`[name='credential.${name}']`, value);
    };
    const check = async (answer) => {
      await page.click("button[data-inline]");
      await page.waitForSelector(`#credential-result ${answer}`);
      await accessible(page);
    };
    // A wrong credential is told so beside the form; what was typed stays.
    const first = Object.keys(more.credential)[0];
    await fill(Object.fromEntries(Object.keys(more.credential).map((name) => [name, "0123456789abcdef"])));
    await check(".problem");
    must((await page.inputValue(`[name='credential.${first}']`)) === "0123456789abcdef", "the fields are kept");
    await picture(page, "brought-credential-wrong");
    // What the registrar says is shown, as a text.
    await fill(more.credential);
    await person("refused");
    await check(".problem");
    must((await page.textContent("#credential-result")).includes(more.error), await page.textContent("#credential-result"));
    await picture(page, "brought-credential-refused");
    await check(".good");
    await everyWay(page, "brought-credential", { keep: true });
    const confirm = async (typed) => {
      for (const risk of await page.locator("input[name^='accept.']").all()) await risk.check();
      await page.fill("#address", more.address);
      await page.fill("#typed", typed);
      await page.press("#typed", "Enter");
    };
    await confirm(`not-${more.domain}`);
    await refused(page, "type the whole name");
    await page.goto(`${place}?registrar=${more.registrar}`);
    await fill(more.credential);
    // The first write meets a registrar that is out of order.
    await person("refused-write");
    await confirm(more.domain);
    await page.waitForURL(place);
    await page.waitForSelector("ol.log li.state-done");
    // The old servers hand nothing out, and what was found may not be all: the zone is given as a file.
    const give = async (zone) => {
      await page.locator("#carried summary", { hasText: "Give the zone as a file" }).click(PATIENCE);
      await page.fill("#zone", zone);
      await page.click("form[action$='/upload'] button");
    };
    await page.locator("#carried", { hasText: "There may be more records" }).waitFor(PATIENCE);
    await everyWay(page, "brought-incomplete");
    await give("$INCLUDE /etc/passwd");
    await refused(page, "zone-file-malformed");
    await page.goto(place);
    await give(more.zone);
    await page.waitForURL(place);
    await page.locator("#standing", { hasText: more.error }).waitFor(PATIENCE);
    // It goes on meanwhile.
    await everyWay(page, "brought-api-waits", { compare: false });
    must(!(await page.content()).includes(Object.values(more.credential)[0]), "the credential is shown nowhere");
    await page.waitForSelector("#standing .verdict-active", PATIENCE);
    must((await page.locator("ol.log li.state-done").count()) === (await page.locator("ol.log li").count()), "every step is done");
    must((await page.textContent("#standing")).includes("Receipt of the last proof"), "the receipt");
    await everyWay(page, "brought-api-live");
    await carried(page);
  });
}
