// What every story in a browser needs. Arguments of a script: the URL of a daemon that runs, an admin's token, a directory
// for pictures; more in PDM_STORY as JSON. A script ends with "N passed, M failed" and the status that belongs to it.
import fs from "node:fs";
import { chromium } from "playwright-core";

export const [url, token, pictures] = process.argv.slice(2);
export const more = JSON.parse(process.env.PDM_STORY ?? "{}");
export const axe = fs.readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const chromiums = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const browser = await chromium.launch({
  executablePath: chromiums.find((path) => fs.existsSync(path)),
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
fs.mkdirSync(pictures, { recursive: true });
export const desktop = { width: 1280, height: 900 };
export const phone = { width: 390, height: 844 };
const results = { passed: 0, failed: 0 };

export const must = (holds, what) => {
  if (!holds) throw new Error(what);
};

export async function inPage({ expects, ...options }, act) {
  const context = await browser.newContext({ viewport: desktop, locale: "en", ...options });
  context.setDefaultTimeout(20000);
  const page = await context.newPage();
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("dialog", (dialog) => { troubles.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("console", (message) => {
    const known = /status of 4\d\d/.test(message.text()) || expects?.test(message.text());
    if (message.type() === "error" && !known) troubles.push(message.text());
  });
  try {
    await act(page);
    must(troubles.length === 0, troubles.join("; "));
  } finally {
    await context.close();
  }
}

export async function test(name, options, act) {
  try {
    await inPage(options, act);
    results.passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    results.failed += 1;
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}

export async function signIn(page, next = "/admin") {
  await page.goto(`${url}/login?next=${encodeURIComponent(next)}`);
  await page.fill("#token", token);
  await Promise.all([page.waitForURL((at) => at.pathname !== "/login"), page.press("#token", "Enter")]);
}

export async function accessible(page) {
  // The page's policy lets no foreign script in; a tool of the browser's own may.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
  must(bad.length === 0, bad.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`).join("\n"));
}

export async function picture(page, name) {
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  must(wide <= 1, `${name} is ${wide} px wider than the window`);
}

// Go there by the Tab key alone.
export async function tabTo(page, selector) {
  for (let at = 0; at < 80; at += 1) {
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

// Wait until something holds that the page does not tell by itself.
export async function until(what, holds) {
  for (let look = 0; look < 240; look += 1) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error(`it never came: ${what}`);
}

// A state of a page at both sizes, in both schemes and directions, with nothing serious found by axe. Ends as it began.
export async function everyWay(page, name) {
  const place = new URL(page.url());
  const back = place.pathname + place.search;
  const before = page.viewportSize();
  for (const [viewport, scheme, lang] of [[phone, "dark", "ar"], [desktop, "light", "en"]]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme: scheme });
    await page.goto(`${url}/language?lang=${lang}&next=${encodeURIComponent(back)}`);
    must((await page.getAttribute("html", "dir")) === (lang === "ar" ? "rtl" : "ltr"), `${name}: direction`);
    await accessible(page);
    await picture(page, `${name}-${viewport.width}-${lang}`);
    const size = await page.evaluate(() => document.documentElement.outerHTML.length);
    must(size < 100_000, `${name} has ${size} octets`);
  }
  await page.setViewportSize(before);
}

export async function end() {
  await browser.close();
  console.log(`${results.passed} passed, ${results.failed} failed`);
  process.exit(results.failed ? 1 : 0);
}
