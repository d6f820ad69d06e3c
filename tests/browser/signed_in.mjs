// Signing in with an organization's account, at a real OpenID Connect provider whose access tokens last four seconds.
import { accessible, everyWay, inPage, more, must, picture, test, until, url } from "./story.mjs";

const session = async (page) => (await page.context().cookies()).find((cookie) => cookie.name === "pdm_session");

async function byAccount(page, next = "/wizard") {
  await page.goto(`${url}${next}`);
  must(new URL(page.url()).pathname === "/login", page.url());
  await Promise.all([page.waitForURL((at) => at.href === `${url}${next}`), page.click("a[href^='/login/issuer']")]);
}

await test("an account signs in, comes back to where it wanted to go, and acts for its organization", {}, async (page) => {
  await page.goto(`${url}/login`);
  await everyWay(page, "sign-in-issuer");
  const seen = [];
  page.on("request", (request) => seen.push(request.url()));
  await byAccount(page);
  must((await page.textContent(".actor")) === "oidc:jane", await page.textContent(".actor"));
  const cookie = await session(page);
  must(cookie.httpOnly && cookie.sameSite === "Strict", JSON.stringify(cookie));
  must(seen.some((place) => place.startsWith(more.issuer)) && !seen.some((place) => place.includes("access_token")), "no token in an address");
  must(seen.filter((place) => place.includes("code_challenge_method=S256")).length === 1, "PKCE");
  await page.fill("form#choose input[name=name]", "by-account");
  await page.click("form#choose button");
  await page.click("form[action='/wizard/reserve'] button");
  await page.waitForURL("**/wizard/names/by-account.omani.works");
  const answer = await page.goto(`${url}/admin/pools`);
  must(answer.status() === 200, "it reads");
  must((await page.goto(`${url}/admin/audit-log`)).status() === 403, "it does not audit");
});

await test("a session outlives its access tokens, and so do the forms that were open", {}, async (page) => {
  await byAccount(page, "/wizard/names/by-account.omani.works");
  const first = (await session(page)).value;
  // The form is older than the token with which it is sent.
  await until("a renewal", async () => {
    await new Promise((done) => setTimeout(done, 1000));
    const other = await page.context().newPage();
    await other.goto(`${url}/wizard`);
    must(new URL(other.url()).pathname === "/wizard", "nobody is sent away");
    await other.close();
    return (await session(page)).value !== first;
  });
  await page.click("form[action$='/extend'] button");
  await page.waitForURL("**/wizard/names/by-account.omani.works");
  must((await page.locator("main .bad").count()) === 0, "the form is taken");
});

await test("an answer that is not this browser's signs nobody in", {}, async (page) => {
  for (const query of ["", "?state=x&code=y", "?error=access_denied", `?state=${"x".repeat(43)}&code=${encodeURIComponent("<script>alert(1)</script>")}`]) {
    const answer = await page.goto(`${url}/login/returned${query}`);
    must(answer.status() === 401, `${query}: ${answer.status()}`);
    must((await session(page)) === undefined, query);
  }
  await accessible(page);
  await picture(page, "sign-in-over");
  // One browser began, another comes back with its answer.
  let stolen;
  page.on("request", (request) => {
    if (request.url().includes("/login/returned?")) stolen = request.url();
  });
  await byAccount(page);
  must(stolen?.includes("code="), "the issuer sent it back");
  await inPage({}, async (other) => {
    must((await other.goto(stolen)).status() === 401, "another browser");
    must((await session(other)) === undefined, "no session");
  });
});

await test("signing out ends the session here and offers to end the account's", {}, async (page) => {
  await byAccount(page);
  await page.click("form[action='/logout'] button");
  const link = await page.getAttribute(`a[href^='${more.issuer}']`, "href");
  must(link.includes("id_token_hint=") && link.includes("post_logout_redirect_uri="), link);
  await accessible(page);
  await picture(page, "signed-out");
  await page.goto(`${url}/wizard`);
  must(new URL(page.url()).pathname === "/login", "signed out");
});
