// A name of which every text is hostile, on every page that shows any of them. No door lets such a name in; pages do not
// rely on doors.
import { accessible, inPage, everyWay, more, must, picture, signIn, test, url } from "./story.mjs";

// How often each page shows the text, at least; fewer would mean that it is not shown at all, and nothing is proved.
const places = {
  "/admin?q=hostile": 1, "/admin/operations": 2, "/admin/audit-log": 2, "/admin/audit-log?fqdn=hostile.omani.works": 2,
  "/admin/sovereigns/hostile.omani.works": 20, "/wizard/names/hostile.omani.works": 3,
};

for (const [place, least] of Object.entries(places)) {
  await test(`${place} shows what is written as a text`, {}, async (page) => {
    await signIn(page, place);
    for (const part of await page.locator("details").all()) await part.evaluate((details) => { details.open = true; });
    const times = (await page.textContent("main")).split(more.text).length - 1;
    must(times >= least, `${times} times`);
    await accessible(page);
    await picture(page, `hostile-${place.replace(/[^a-z]+/g, "-")}`, { compare: false });
  });
}

await test("somebody else's link and a confirmation show it as a text", {}, async (page) => {
  await signIn(page, `/wizard/names/${more.name}`);
  await page.click("form[action$='/link'] button");
  const link = await page.getAttribute("a[href^='/s/']", "href");
  await inPage({}, async (other) => {
    await other.goto(url + link);
    must((await other.textContent("main")).includes(more.text), "the wait");
    await accessible(other);
  });
  await page.goto(`${url}/admin/sovereigns/${more.name}`);
  for (const fix of await page.locator("a[href*='/confirm/fix']").all()) must((await fix.getAttribute("href")).startsWith("/admin/"), "a place of ours");
  await everyWay(page, "hostile-sovereign", { compare: false });
});
