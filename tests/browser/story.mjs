// What every story in a browser needs: the URL of a daemon that runs, an admin's token, a directory for pictures; more in
// PDM_STORY as JSON. run.mjs runs scripts of stories.
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
  // The machine may be busy with other tests.
  context.setDefaultTimeout(45000);
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
  const begun = performance.now();
  const took = () => `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  try {
    await inPage(options, act);
    results.passed += 1;
    console.log(`ok   ${name} (${took()})`);
  } catch (error) {
    results.failed += 1;
    console.log(`FAIL ${name} (${took()}): ${error.stack}`);
  }
}

export async function signIn(page, next = "/admin") {
  await page.goto(`${url}/login?next=${encodeURIComponent(next)}`);
  await page.fill("#token", token);
  await Promise.all([page.waitForURL((at) => at.pathname !== "/login"), page.press("#token", "Enter")]);
}

// Texts that would do something if a page took them for more. Every element of theirs would be of the class `hostile`.
export const hostile = ['<script class=hostile>alert(1)</script>', '"><img class=hostile src=x onerror=alert(1)>', "'><svg class=hostile onload=alert(1)>",
  "</pre></title></textarea><b class=hostile>", "</script><script class=hostile>alert(1)</script>", "javascript:alert(1)//", "{{7*7}}${7*7}",
  "\u202Eevil", "&lt;i class=hostile&gt;"];

// No text became an element, a handler or an address that runs. Scripts that ran, or tried to, are troubles of the page.
export async function harmless(page) {
  const found = await page.evaluate(() => {
    const bad = [...document.querySelectorAll(".hostile, main script, main img, main style, main iframe, [href^='javascript' i], [formaction^='javascript' i]")];
    const handlers = [...document.querySelectorAll("*")].filter((element) => [...element.attributes].some(({ name }) => name.startsWith("on")));
    return [...bad, ...handlers].map((element) => element.outerHTML.slice(0, 200));
  });
  must(found.length === 0, `${page.url()} took a text for more: ${found.join(" | ")}`);
}

export async function accessible(page) {
  await harmless(page);
  // The page's policy lets no foreign script in; a tool of the browser's own may.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
  must(bad.length === 0, bad.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`).join("\n"));
}

// How a window looks, loosely: the mean colours of a coarse grid, in octets.
const GRID = [8, 6];
let lens;
async function look(png, { width, height }) {
  lens ??= await (await browser.newContext()).newPage();
  const grid = await lens.evaluate(async ([text, width, height, columns, rows]) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${text}`)).blob());
    const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    canvas.drawImage(image, 0, 0);
    const means = [];
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const [wide, high] = [Math.floor(width / columns), Math.floor(height / rows)];
        const { data } = canvas.getImageData(column * wide, row * high, wide, high);
        const sums = [0, 0, 0];
        for (let at = 0; at < data.length; at += 4) for (let c = 0; c < 3; c += 1) sums[c] += data[at + c];
        means.push(...sums.map((sum) => Math.round(sum / (wide * high))));
      }
    }
    return means;
  }, [png.toString("base64"), width, height, ...GRID]);
  return Buffer.from(grid);
}

// Looks that were seen to be good. PDM_WRITE_LOOKS=1 writes those of this run; look at the pictures before.
const LOOKS = new URL("./looks.json", import.meta.url);
const known = JSON.parse(fs.readFileSync(LOOKS));
const writing = Boolean(process.env.PDM_WRITE_LOOKS);
const fresh = {};
// The same state on the same machine is 0.1 off mostly, and 2 where a log has other lines; a page without its stylesheet is
// at least 4.5 off.
const LIMIT = 3.5;

export async function difference(page, name, png) {
  const now = await look(png ?? (await page.screenshot()), page.viewportSize());
  fresh[name] = now.toString("base64");
  const then = Buffer.from(known[name] ?? "", "base64");
  if (then.length !== now.length) return Infinity;
  return now.reduce((sum, octet, at) => sum + Math.abs(octet - then[at]), 0) / now.length;
}

// A page as it is: nothing hangs over, and it looks as it did. `compare` is off for what depends on another site's page.
export async function picture(page, name, { compare = true } = {}) {
  const png = await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  must(wide <= 1, `${name} is ${wide} px wider than the window`);
  if (!compare) return;
  const off = await difference(page, name, png);
  if (process.env.PDM_TELL_LOOKS) console.log(`     ${name}: ${off.toFixed(2)} off`);
  must(writing || off <= LIMIT, `${name} does not look as it did: ${off.toFixed(1)} off; see ${pictures}/${name}.png`);
}

export const ugly = async (page, name) => must(writing || (await difference(page, name)) > LIMIT, `${name} would pass without its stylesheet`);

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
  for (let look = 0; look < 480; look += 1) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error(`it never came: ${what}`);
}

// A state of a page at both sizes, in both schemes and directions, with nothing serious found by axe. Ends as it began, but
// for what was typed; `keep` looks in one language and keeps it.
export async function everyWay(page, name, { keep = false, compare = true } = {}) {
  const place = new URL(page.url());
  const back = place.pathname + place.search;
  const before = page.viewportSize();
  for (const [viewport, scheme, lang] of [[phone, "dark", "ar"], [desktop, "light", "en"]]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme: scheme });
    if (!keep) await page.goto(`${url}/language?lang=${lang}&next=${encodeURIComponent(back)}`);
    if (!keep) must((await page.getAttribute("html", "dir")) === (lang === "ar" ? "rtl" : "ltr"), `${name}: direction`);
    await accessible(page);
    await picture(page, `${name}-${viewport.width}-${keep ? "en" : lang}`, { compare });
    const size = await page.evaluate(() => document.documentElement.outerHTML.length);
    must(size < 100_000, `${name} has ${size} octets`);
  }
  await page.setViewportSize(before);
}

// "N passed, M failed", and the status that belongs to it.
export async function end() {
  if (writing) {
    const all = Object.entries({ ...JSON.parse(fs.readFileSync(LOOKS)), ...fresh }).sort(([a], [b]) => (a < b ? -1 : 1));
    fs.writeFileSync(LOOKS, `${JSON.stringify(Object.fromEntries(all), null, 1)}\n`);
  }
  await browser.close();
  console.log(`${results.passed} passed, ${results.failed} failed`);
  process.exit(results.failed ? 1 : 0);
}
