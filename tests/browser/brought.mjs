// A domain that its owner brings, from a typed name to live, in a closed internet: by hand with a person at the registry, or
// by a registrar's API, as `more.mode` says. The person acts when asked by a file and takes it away when done.
import fs from "node:fs";
import { accessible, end, everyWay, inPage, more, must, picture, signIn, test, until, url } from "./story.mjs";

const place = `${url}/wizard/names/${more.domain}`;
const HOSTILE = "<img src=x onerror=alert(1)>";

async function person(what) {
  const file = `${more.dir}/person-${what}`;
  fs.writeFileSync(file, "");
  await until(`a person: ${what}`, () => !fs.existsSync(file));
}

async function claim(page) {
  await signIn(page, `/wizard?name=https://${more.domain}/`);
  await page.waitForSelector("#passport dl");
  const seen = await page.textContent("#passport");
  for (const part of [more.old, "ns1.openova.io", "mx1.acme.com", "DS "]) must(seen.includes(part), `${part} in ${seen}`);
  must((await page.locator("#passport ol li").count()) >= 3, "the plan has its stages");
  await everyWay(page, `passport-${more.mode}`);
  await page.fill(`#domain-${more.mode}`, more.domain);
  await page.press(`#domain-${more.mode}`, "Enter");
  await page.waitForURL(place);
  await page.waitForSelector("#passport dl");
  await everyWay(page, `claimed-${more.mode}`);
}

// Everything of the old zone is shown, as text.
async function carried(page) {
  const text = await page.textContent("#carried");
  must(text.includes(HOSTILE), "a TXT of the old zone");
  must(text.includes("carried over"), text);
  must((await page.locator("main img").count()) === 0, "and is no element");
}

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
    await page.waitForSelector("main .bad");
    must((await page.textContent("main .bad")).includes("ownership-unproved"), "not before it is proved");
    await person("proves");
    await page.goto(place);
    await page.fill("#address", more.address);
    await page.press("#address", "Enter");
    await page.waitForURL(place);
    const told = async (action, parts) => {
      await page.waitForSelector(`.card.yours[data-action="${action}"]`, { timeout: 90000 });
      const card = await page.textContent(".card.yours");
      for (const part of parts) must(card.includes(part), `${action}: ${part} in ${card}`);
      must((await page.locator(".strip li.yours").count()) > 0, `${action}: a station waits for a person`);
      await accessible(page);
      await picture(page, `brought-${action}`);
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
      await accessible(other);
      await picture(other, "brought-link");
    });
    await page.goto(place);
    await person("obeys-remove-ds");
    await told("set-ns", ["ns1.openova.io", "ns2.openova.io"]);
    await person("obeys-set-ns");
    await told("add-ds", ["DS", "DNSKEY 257 3 13"]);
    await person("obeys-add-ds");
    await page.waitForSelector("#standing .verdict-active", { timeout: 90000 });
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
    // A wrong credential is told so beside the form; what was typed stays.
    await fill(Object.fromEntries(Object.keys(more.credential).map((name) => [name, `0123456789abcdef${HOSTILE.replaceAll(" ", "/")}`])));
    await page.click("button[data-inline]");
    await page.waitForSelector("#credential-result .problem");
    must((await page.inputValue(`[name='credential.${Object.keys(more.credential)[0]}']`)).startsWith("0123456789"), "the fields are kept");
    must((await page.locator("main img").count()) === 0, "no element");
    await accessible(page);
    await picture(page, "brought-credential-wrong");
    await fill(more.credential);
    await page.click("button[data-inline]");
    await page.waitForSelector("#credential-result .good");
    await accessible(page);
    await picture(page, "brought-credential");
    for (const risk of await page.locator("input[name^='accept.']").all()) await risk.check();
    await page.fill("#address", more.address);
    await page.fill("#typed", `not-${more.domain}`);
    await page.press("#typed", "Enter");
    await page.waitForSelector("main .bad");
    await page.goto(`${place}?registrar=${more.registrar}`);
    await fill(more.credential);
    for (const risk of await page.locator("input[name^='accept.']").all()) await risk.check();
    await page.fill("#address", more.address);
    await page.fill("#typed", more.domain);
    await page.press("#typed", "Enter");
    await page.waitForURL(place);
    await page.waitForSelector("ol.log li");
    must(!(await page.content()).includes(Object.values(more.credential)[0]), "the credential is shown nowhere");
    await picture(page, "brought-api-log");
    await page.waitForSelector("#standing .verdict-active", { timeout: 90000 });
    must((await page.locator("ol.log li.state-done").count()) === (await page.locator("ol.log li").count()), "every step is done");
    must((await page.textContent("#standing")).includes("Receipt of the last proof"), "the receipt");
    await everyWay(page, "brought-api-live");
    await carried(page);
  });
}

await end();
