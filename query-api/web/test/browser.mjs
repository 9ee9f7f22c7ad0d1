// What an engineer does with the page, in a headless Chromium. HEADSPAN_PAGE is the page's address, HEADSPAN_CHROMIUM the
// browser, HEADSPAN_LARGE_TRACE the id of a trace of 50,000 spans; HEADSPAN_PICTURES, if set, is where pictures go.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { chromium } from "playwright-core";

/** @param {string} name */
function setting(name) {
  const value = process.env[name];
  assert.ok(value, `not set: ${name}`);
  return value;
}

const base = setting("HEADSPAN_PAGE");
const pictures = process.env["HEADSPAN_PICTURES"];

describe("the page in a browser", () => {
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {import("playwright-core").Page} */
  let page;
  /** @type {string[]} */
  const complaints = [];

  before(async () => {
    browser = await chromium.launch({
      executablePath: setting("HEADSPAN_CHROMIUM"),
      // Chromium refuses its sandbox to root, who runs these tests.
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
    page = await browser.newPage({ viewport: { width: 1400, height: 850 }, colorScheme: "light" });
    page.setDefaultTimeout(30_000);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });

  after(async () => {
    await browser.close();
  });

  /** @param {string} hash */
  async function open(hash) {
    await page.goto(base + hash);
    await page.locator("[aria-busy]").first().waitFor({ state: "detached" });
  }

  /** @param {string} name */
  async function picture(name) {
    if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }

  it("leads from the functions over search and trace to an explanation", async () => {
    await open("");
    await page.getByRole("row", { name: /^gateway/ }).waitFor();
    await picture("functions");
    await page.getByRole("link", { name: "Search", exact: true }).click();
    const query = page.getByRole("combobox", { name: "TraceQL query" });
    await query.fill('{ resource.service.name = "gateway" && span.headspan.stolen_ns > 20000000 }');
    await query.press("Enter");
    const first = page
      .getByRole("table")
      .getByRole("link", { name: /orders|items/ })
      .first();
    await first.waitFor();
    await picture("search");
    await first.click();
    const spans = page.getByRole("treegrid", { name: "Spans" });
    await spans
      .getByText(/stolen by media/)
      .first()
      .waitFor();
    const details = page.getByRole("complementary", { name: "Span" });
    await details.getByText("Where the time went").waitFor();
    await spans.locator(".critical").first().waitFor();
    await details.getByText("Logs of this span").click();
    await details.getByText("No log record bears this span's id.").waitFor();
    await picture("trace");
    await page.getByRole("link", { name: "Explain" }).last().click();
    await page.getByRole("combobox", { name: "Function" }).waitFor();
    const said = page.locator(".verdict p");
    await said.waitFor();
    assert.match((await said.textContent()) ?? "", /gateway .* media/);
    await picture("explain");
  });

  it("completes names, operators and values, by keyboard alone", async () => {
    await open("#/search");
    const query = page.getByRole("combobox", { name: "TraceQL query" });
    await page.keyboard.press("/");
    await query.pressSequentially("{ resource.service.na");
    const options = page.getByRole("listbox", { name: "Suggestions" }).getByRole("option");
    await options.filter({ hasText: "resource.service.name" }).waitFor();
    await page.keyboard.press("Tab");
    await options.filter({ hasText: "not equal" }).waitFor();
    await query.pressSequentially("= ");
    await options.filter({ hasText: '"payments"' }).waitFor();
    await query.pressSequentially('"pay');
    await options.filter({ hasText: '"cart"' }).waitFor({ state: "detached" });
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await options.filter({ hasText: "end of the filter" }).waitFor();
    await page.keyboard.press("Escape");
    await query.pressSequentially("}");
    await page.keyboard.press("Enter");
    assert.equal((await query.inputValue()).trim(), '{ resource.service.name = "payments" }');
    await page.getByRole("link", { name: "POST /orders" }).first().waitFor();
    assert.match(page.url(), /payments/);
  });

  it("says where a query is wrong", async () => {
    await open(`#/search?q=${encodeURIComponent("{ name = }")}`);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match((await alert.textContent()) ?? "", /column|10|line/);
    assert.ok(
      complaints.every((text) => text.includes("400")),
      complaints.join("\n"),
    );
    complaints.length = 0;
  });

  it("goes through a trace by keyboard", async () => {
    await open(`#/search?q=${encodeURIComponent('{ name = "POST /orders" }')}`);
    await page.getByRole("link", { name: "POST /orders" }).first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    const rows = page.getByRole("treegrid").getByRole("row");
    await rows.first().waitFor();
    const all = await rows.count();
    assert.ok(all >= 10, `rows=${all}`);
    await page.keyboard.press("j");
    assert.equal(await rows.nth(1).getAttribute("aria-selected"), "true");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await rows.count(), 1);
    assert.equal(await rows.first().getAttribute("aria-expanded"), "false");
    await page.keyboard.press("ArrowRight");
    assert.equal(await rows.count(), all);
  });

  it("opens a chosen cell of the heat map", async () => {
    await open("#/latency");
    const map = page.getByRole("application");
    await map.focus();
    await page.keyboard.press("ArrowLeft");
    // From the top right corner along the rows, until there is a cell with spans in it.
    const readout = page.locator(".readout");
    for (let i = 0; i < 400 && /^0 spans/.test((await readout.textContent()) ?? "0 spans"); i++) {
      await page.keyboard.press(i % 12 === 11 ? "ArrowLeft" : i % 24 < 11 ? "ArrowDown" : "ArrowUp");
    }
    const cell = (await readout.textContent()) ?? "";
    assert.match(cell, /^[1-9]/);
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Traces of the chosen cell" }).getByRole("table").waitFor();
    await picture("latency");
  });

  it("compares two times of a function, by keyboard too", async () => {
    await open("#/functions?from=now-12m");
    await page.keyboard.press("g");
    await page.keyboard.press("c");
    await page.getByText("Which function?").waitFor();
    await page.getByRole("combobox", { name: "Function" }).selectOption({ label: "gateway (shop)" });
    const total = page.getByRole("table", { name: "Total" });
    const invocations = total.getByRole("row", { name: /^Invocations/ });
    await invocations.waitFor();
    const counted = await invocations.getByRole("cell").allTextContents();
    assert.ok(
      counted.slice(0, 2).every((text) => Number(text.replace(/,/g, "")) > 50),
      counted.join(" "),
    );
    assert.match(counted[2] ?? "", /%$/);
    const operations = page.getByRole("table", { name: "Operations" });
    await operations.getByRole("row", { name: /^POST \/orders.* → / }).waitFor();
    await picture("compare");
    await page.getByRole("combobox", { name: "Compare with" }).selectOption("from … to …");
    await page.getByLabel("Baseline to").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/baseline=\d+%2F\d+/);
    await total.waitFor();
    await page
      .getByRole("combobox", { name: "Compare with" })
      .getByText(/\d\d:\d\d:\d\d – /)
      .waitFor({ state: "attached" });
    await page.keyboard.press("t");
    await page.keyboard.press("t");
    await picture("compare-dark");
    await page.keyboard.press("t");
    await page.keyboard.press("j");
    await page.keyboard.press("ArrowDown");
    const name = await page.evaluate(() => document.activeElement?.querySelector("a")?.textContent);
    await page.keyboard.press("Enter");
    await page.waitForURL(/#\/search/);
    assert.ok(decodeURIComponent(page.url()).replace(/\+/g, " ").includes(`name = "${name}"`), page.url());
  });

  it("shows who took time from whom, and when", async () => {
    await open("#/neighbours");
    await page.getByRole("link", { name: /s$/ }).first().waitFor();
    assert.match(
      (await page.getByRole("heading", { level: 2 }).first().textContent()) ?? "",
      /media took .* from shop/,
    );
    await picture("neighbours");
  });

  it("draws the map of services", async () => {
    await open("#/map");
    for (const name of ["gateway", "catalog", "cart", "price", "payments"]) {
      await page.getByRole("link", { name: new RegExp(`^${name}: `) }).waitFor();
    }
    await picture("map");
  });

  it("holds a trace of 50,000 spans with few elements", async () => {
    await open(`#/trace/${setting("HEADSPAN_LARGE_TRACE")}`);
    const grid = page.getByRole("treegrid");
    await grid.waitFor();
    assert.equal(await grid.getAttribute("aria-rowcount"), "50000");
    await grid.focus();
    await page.keyboard.press("End");
    await grid.locator('[aria-rowindex="50000"]').waitFor();
    assert.ok((await grid.getByRole("row").count()) < 120);
    const started = Date.now();
    for (let i = 0; i < 20; i++) await page.keyboard.press("PageUp");
    assert.ok(Date.now() - started < 5_000, `20 pages took ${Date.now() - started} ms`);
    await picture("large");
  });

  it("says why a trace was kept, and what was kept of all", async () => {
    await open(`#/trace/${setting("HEADSPAN_LARGE_TRACE")}`);
    await page.getByText("kept by errors, as all like it").waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.getByText("2 of 3 traces were kept (66.7 %).").waitFor();
    const rest = page.getByRole("row", { name: /^rest/ });
    assert.deepEqual(await rest.getByRole("cell").allTextContents(), ["rest", "1", "12", "4", "4.0"]);
    await page.getByRole("row", { name: /^shop/ }).waitFor();
    await picture("sampling");
  });

  it("asks for a token, and keeps it while the tab is open", async () => {
    const other = await browser.newPage({ viewport: { width: 1400, height: 850 }, colorScheme: "dark" });
    await other.goto(setting("HEADSPAN_GUARDED_PAGE"));
    await other.getByText("A token is needed").waitFor();
    if (pictures) await other.screenshot({ path: path.join(pictures, "token.png") });
    await other.getByRole("alert").getByLabel("Token").fill("a guess");
    await other.keyboard.press("Enter");
    await other.getByText("The token is not known").waitFor();
    await other.getByRole("alert").getByLabel("Token").fill(setting("HEADSPAN_TOKEN"));
    await other.getByRole("button", { name: "Use it" }).click();
    await other.getByRole("row", { name: /^gateway/ }).waitFor();
    await other.reload();
    await other.getByRole("row", { name: /^gateway/ }).waitFor();
    assert.equal(await other.evaluate(() => document.defaultView?.localStorage.length), 0);
    await other.getByRole("button", { name: "Token", exact: true }).click();
    if (pictures) await other.screenshot({ path: path.join(pictures, "token-dialog.png") });
    await other.getByRole("button", { name: "Forget it" }).click();
    await other.getByText("A token is needed").waitFor();
    await other.close();
  });

  it("has its keys on ?, and a theme to choose", async () => {
    await open("#/functions");
    await page.getByRole("row", { name: /^gateway/ }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.getByRole("application").waitFor();
    await page.keyboard.press("t");
    await page.keyboard.press("t");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await picture("latency-dark");
  });

  it("fits a narrow screen", async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    for (const view of ["functions", "search", "latency", "map", "neighbours", "explain", "compare", "sampling"]) {
      await open(`#/${view}${view === "compare" ? "?service=gateway&from=now-12m" : ""}`);
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.equal(wider, 0, `${view} is wider than the screen`);
      await picture(`narrow-${view}`);
    }
  });

  it("made the browser complain of nothing", () => {
    assert.deepEqual(complaints, []);
  });
});
