// What `pdm up` prints is opened, and nothing else is known.
import { accessible, more, must, picture, test } from "./story.mjs";

await test("the printed link opens the pages ready to use, once", {}, async (page) => {
  await page.goto(more.link);
  await page.waitForURL((at) => at.pathname === "/admin");
  must(!page.url().includes("#"), "the ticket is out of the address");
  await page.click("nav a[href='/wizard']");
  await page.fill("input[name=name]", "omantel");
  await page.waitForSelector("[data-way=pool] .good");
  await page.click("#take-pool");
  await page.fill("#address", "203.0.113.10");
  await page.press("#address", "Enter");
  await page.waitForSelector("#standing .verdict-active");
  await page.context().clearCookies();
  await page.goto(more.page);
  await page.waitForSelector("#token");
  await page.goto(more.link);
  await page.waitForSelector("#wrong");
  must((await page.textContent("#wrong")).includes("was used"), "it was used");
  await accessible(page);
  await picture(page, "sign-in-used");
});
