// An admin's audit of a name, from a finding to its repair, and the log that tells of it. There are two names: one whose
// zone somebody changed by hand, and one with a failover policy over two regions.
import fs from "node:fs";
import { accessible, everyWay, inPage, more, must, picture, signIn, tabTo, test, until, url } from "./story.mjs";

const drifted = `${url}/admin/sovereigns/${more.drifted}`;
const policy = `${url}/admin/sovereigns/${more.policy}`;

// Whatever else is wrong with zones on loopback addresses, this is what somebody changed by hand.
const CHANGED = "SOV06";
const found = (page, code) =>
  page.locator("article.finding").filter({ has: page.locator("h3 code", { hasText: new RegExp(`^${code}`) }) });

await test("a finding says what is wrong and who must act, and its fix shows the difference and is carried out", {}, async (page) => {
  await signIn(page);
  await page.goto(drifted);
  await page.click("form[action$='/audit'] button");
  const finding = found(page, CHANGED);
  await finding.waitFor();
  const text = await finding.textContent();
  must(/operator/.test(text) && text.includes("203.0.113.66"), text);
  // What a nameserver really answered is the evidence of what follows from it.
  await found(page, "SOV01").locator("summary").first().click();
  must((await page.locator("details[open] pre").first().textContent()).includes("dig @"), "the evidence can be asked for again");
  must((await page.locator("td.differs").count()) > 0, "the matrix shows it");
  await picture(page, "sovereign-finding");
  await everyWay(page, "sovereign-findings");

  await finding.locator("a[href*='/confirm/fix']").click();
  const shown = await page.locator("pre.diff").last().textContent();
  must(shown.includes("- ") && shown.includes("+ ") && shown.includes("203.0.113.66"), shown);
  await everyWay(page, "confirm-fix");
  await page.fill("#typed", "another.omani.works");
  await page.press("#typed", "Enter");
  await page.waitForSelector("#wrong");
  must((await page.locator("pre.diff").count()) > 0, "the difference is still shown");
  await page.fill("#typed", more.drifted);
  await page.press("#typed", "Enter");
  await page.waitForURL(drifted);
  await until("the repair", async () => {
    await page.goto(drifted);
    return (await page.locator("td.differs").count()) === 0 || (await page.locator("form[action$='/retry']").count()) === 0;
  });
  await page.click("form[action$='/audit'] button");
  await page.waitForLoadState();
  must((await found(page, CHANGED).count()) === 0, "it is mended");
  must((await page.textContent(".times")).includes("repair"), "the time line tells of it");
});

await test("two audits are compared, a finding is acknowledged and taken back, and both files are to be had", {}, async (page) => {
  await signIn(page);
  await page.goto(drifted);
  const oldest = await page.locator("select[name=compare] option").last().getAttribute("value");
  await page.selectOption("select[name=compare]", oldest);
  await page.click("form[action$='#findings'] button");
  await page.waitForURL((at) => at.searchParams.has("compare"));
  must((await page.textContent("#findings")).includes(CHANGED), "what is gone is named");
  await everyWay(page, "sovereign-compared");

  await page.goto(drifted);
  const first = page.locator("article.finding").first();
  const key = await first.locator("h3 code").textContent();
  const same = found(page, key.replace(/[.*+]/g, "\\$&"));
  await same.locator("summary").last().click();
  await same.locator("input[name=reason]").fill("<b>known</b> & watched");
  await same.locator("form button").click();
  await page.waitForLoadState();
  await page.click("form[action$='/audit'] button");
  await page.waitForLoadState();
  must((await same.textContent()).includes("<b>known</b> & watched"), "the reason stands there as it was typed");
  await same.locator("summary").last().click();
  await same.locator("form button").click();
  await page.waitForLoadState();

  for (const [link, proof] of [["a[href$='/evidence']", "signature"], ["a[href*='/reports/']", "report"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(link)]);
    must(download.suggestedFilename().endsWith(".json") && download.suggestedFilename().includes(more.drifted), download.suggestedFilename());
    must(proof in JSON.parse(fs.readFileSync(await download.path(), "utf8")), proof);
  }
});

await test("the chain is drawn and says the same in words", {}, async (page) => {
  await signIn(page);
  await page.goto(drifted);
  const zones = await page.locator("ol.chain strong").allTextContents();
  must(zones.length >= 2 && zones.at(-1).startsWith(more.drifted), zones.join());
  const boxes = await page.locator("svg.chain-drawing rect").count();
  must(boxes === zones.length, `${boxes} boxes`);
  const words = await page.textContent("svg.chain-drawing desc");
  must(zones.every((zone) => words.includes(zone)), words);
});

await test("a policy shows its truth table and what every nameserver says", {}, async (page) => {
  await signIn(page);
  await page.goto(policy);
  const table = page.locator("details table");
  must((await table.locator("tbody tr").count()) === 4, "two regions, four situations");
  must((await table.textContent()).includes(more.regions[0]), "the first region answers");
  await until("an opinion", async () => {
    await page.goto(policy);
    return (await page.locator("section:has(details table) tbody tr td .tag").count()) > 0;
  });
  await everyWay(page, "sovereign-policy");
});

await test("rolls are held and go on, and a roll wants its name typed", {}, async (page) => {
  await signIn(page);
  await page.goto(policy);
  await page.click("form[action$='/hold'] button");
  await page.waitForSelector("form[action$='/unhold']");
  await page.click("form[action$='/unhold'] button");
  await page.waitForSelector("form[action$='/hold']");
  await page.click("a[href$='/confirm/roll']");
  await page.selectOption("#kind", "zsk");
  await page.fill("#reason", "<script>alert(1)</script>");
  await page.fill("#typed", more.policy);
  await page.press("#typed", "Enter");
  await page.waitForURL(policy);
  must((await page.textContent("main")).includes("<script>alert(1)</script>"), "the reason stands there as it was typed");
  must((await page.locator("main script").count()) === 0, "and is a text");
});

await test("an audit with the keyboard alone", {}, async (page) => {
  await signIn(page);
  await page.goto(drifted);
  await tabTo(page, "form[action$='/audit'] button");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await tabTo(page, "article.finding details summary");
  await page.keyboard.press("Enter");
  must((await page.locator("article.finding details[open]").count()) === 1, "it opens");
});

await test("the log is verified from its page", {}, async (page) => {
  await signIn(page, "/admin/audit-log");
  await page.click("form[action$='/verify'] button");
  await page.waitForSelector("p.verdict-active");
  must(/\d+ entries hold, the last with hash [0-9a-f]{64}; signed up to place \d+/.test(await page.textContent("p.verdict-active")), "what holds");
  await accessible(page);
  await picture(page, "log-verified");
});

await test("what waits is told apart by who must act, and a pool says what waits for it", {}, async (page) => {
  await signIn(page, "/admin/operations");
  must((await page.locator(".tabs a").count()) === 5, "all, and four groups");
  await page.click(".tabs a[href$='who=operator']");
  must((await page.locator(".tabs [aria-current]").textContent()).length > 0, "the chosen one is marked");
  await page.goto(`${url}/admin/pools`);
  const text = await page.textContent("main");
  must(text.includes("Public suffix list") && text.includes("Changes of delegations that wait"), text);
});

await test("the audit's parts work without scripts and on paper", { javaScriptEnabled: false }, async (page) => {
  await signIn(page);
  await page.goto(drifted);
  await page.click("form[action$='/audit'] button");
  await page.waitForLoadState();
  must((await page.locator("article.finding").count()) > 0, "findings");
  await page.emulateMedia({ media: "print" });
  must(!(await page.locator("header").isVisible()) && !(await page.locator("form").first().isVisible()), "no controls on paper");
  await picture(page, "sovereign-paper");
});

await test("an auditor reads everything and is offered nothing that changes a name", {}, async (page) => {
  await inPage({}, async (other) => {
    await other.goto(`${url}/login`);
    await other.fill("#token", more.auditor);
    await Promise.all([other.waitForURL("**/admin"), other.press("#token", "Enter")]);
    await other.goto(drifted);
    must((await other.locator("#findings").count()) === 1, "the findings");
    for (const offer of ["a[href*='/confirm/']", "form[action$='/acknowledge']", "form[action$='/hold']"]) {
      must((await other.locator(offer).count()) === 0, offer);
    }
    const answer = await other.goto(`${drifted}/confirm/fix?finding=${CHANGED}`);
    must(answer.status() === 403, "asked for all the same");
  });
  await page.goto(`${url}/login`);
});
