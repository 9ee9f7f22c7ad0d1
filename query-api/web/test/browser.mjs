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
    await picture("trace");
    await page.getByRole("link", { name: "Explain" }).last().click();
    await page.getByRole("combobox", { name: "Function" }).waitFor();
    const said = page.locator(".verdict p");
    await said.waitFor();
    assert.match((await said.textContent()) ?? "", /gateway .* media/);
    await picture("explain");
  });

  it("shows the logs of a trace, each with its span", async () => {
    await open(`#/search?q=${encodeURIComponent('{ name = "POST /orders" }')}`);
    await page.getByRole("link", { name: "POST /orders" }).first().click();
    const logs = page.getByRole("region", { name: "Logs of the trace" });
    const lines = logs.locator("tbody").getByRole("row");
    await lines.first().waitFor();
    assert.deepEqual(await lines.nth(0).getByRole("cell").allTextContents(), [
      "+0 ns",
      "INFO",
      "gateway",
      "request begins",
      "POST /orders",
    ]);
    assert.deepEqual(await lines.nth(1).getByRole("cell").allTextContents(), [
      "+500 µs",
      "DEBUG",
      "gateway",
      "connection reused",
      "no span",
    ]);
    const all = await lines.count();
    await page.getByRole("button", { name: `${all} log records` }).click();
    await page.waitForFunction(() => {
      const box = document.querySelector(".loglines tbody tr")?.getBoundingClientRect();
      return box && box.bottom <= document.documentElement.clientHeight;
    });
    const missed = lines.filter({ hasText: "not in the cache" });
    assert.match((await missed.textContent()) ?? "", /^\+[\d.]+ m?sWARNcatalognot in the cache item=42GET \/catalog/);
    await picture("logs");
    // By clicking a record to its span, and to the records of that span alone.
    const spans = page.getByRole("treegrid", { name: "Spans" });
    await missed.getByRole("button").click();
    const chosen = spans.locator('[aria-selected="true"]');
    assert.match((await chosen.textContent()) ?? "", /catalog/);
    const details = page.getByRole("complementary", { name: "Span" });
    await details.getByText("Logs of this span").click();
    const ofSpan = details.locator(".logline");
    await ofSpan.first().waitFor();
    assert.equal(await ofSpan.count(), 1);
    assert.match((await ofSpan.textContent()) ?? "", /^\+[\d.]+ m?s WARN not in the cache item=42$/);
    // By keyboard.
    await lines.first().focus();
    await page.keyboard.press("Enter");
    assert.equal(await spans.getByRole("row").first().getAttribute("aria-selected"), "true");
    await page.keyboard.press("j");
    await details.getByText("Logs of this span").click();
    await details.getByText("No log record bears this span's id.").waitFor();
    await logs.getByRole("combobox", { name: "Severity" }).selectOption({ label: "warnings and errors" });
    await lines.filter({ hasText: "INFO" }).waitFor({ state: "detached" });
    assert.ok((await lines.allTextContents()).every((text) => /WARN|ERROR/.test(text)));
    await logs.getByRole("combobox", { name: "Severity" }).selectOption({ label: "all severities" });
    await lines.filter({ hasText: "DEBUG" }).waitFor();
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

  it("completes metrics and operators between filters, and shows series", async () => {
    await open("#/search");
    const query = page.getByRole("combobox", { name: "TraceQL query" });
    const options = page.getByRole("listbox", { name: "Suggestions" }).getByRole("option");
    await query.pressSequentially("{} !");
    await options.filter({ hasText: "!>>" }).waitFor();
    await options.filter({ hasText: "!~" }).waitFor();
    await query.fill("");
    await query.pressSequentially("{ kind = server } | qua");
    await options.first().filter({ hasText: "quantile_over_time" }).waitFor();
    await page.keyboard.press("Tab");
    await query.pressSequentially("duration, .99) ");
    await options.filter({ hasText: "with(…)" }).waitFor();
    await query.pressSequentially("by");
    await options.filter({ hasText: "with(…)" }).waitFor({ state: "detached" });
    await page.keyboard.press("Tab");
    await query.pressSequentially("resource.service.name)");
    await page.keyboard.press("Enter");
    assert.equal(
      await query.inputValue(),
      "{ kind = server } | quantile_over_time(duration, .99) by(resource.service.name)",
    );
    const series = page.getByRole("region", { name: "Series" });
    for (const name of ["gateway", "catalog", "cart", "price", "payments", "report", "transcode"]) {
      await series.getByRole("row", { name: new RegExp(`resource\\.service\\.name = ${name}`) }).waitFor();
    }
    await picture("series");
    await series.getByRole("link", { name: "trace" }).first().click();
    await page.getByRole("treegrid").waitFor();
  });

  it("clips no label of a bar, however wide the page", async () => {
    const robbed = '{ resource.service.name = "catalog" && span.headspan.stolen_ns > 50000000 }';
    await open(`#/search?q=${encodeURIComponent(robbed)}`);
    const links = page.getByRole("table").getByRole("link", { name: /orders|items/ });
    await links.first().waitFor();
    const addresses = await links.evaluateAll((all) => all.slice(0, 5).map((one) => one.getAttribute("href")));
    for (const address of addresses) {
      for (const width of [1400, 1050, 800]) {
        await page.setViewportSize({ width, height: 850 });
        await open(address ?? "");
        const labels = page.getByRole("treegrid").locator(".bartext");
        await labels.first().waitFor();
        const clipped = await labels.evaluateAll((all) =>
          all
            .filter((one) => {
              const cell = one.parentElement?.getBoundingClientRect();
              const box = one.getBoundingClientRect();
              return !cell || box.left < cell.left - 0.5 || box.right > cell.right + 0.5;
            })
            .map((one) => one.textContent),
        );
        assert.deepEqual(clipped, [], `${address}, ${width} wide`);
      }
    }
    await page.setViewportSize({ width: 1400, height: 850 });
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

  it("opens a cell of the heat map, and the trace of an exemplar, by clicking", async () => {
    await open("#/latency");
    const map = page.getByRole("application");
    await map.scrollIntoViewIfNeeded();
    const box = await map.boundingBox();
    assert.ok(box);
    // In the picture: the middle of a diamond, and a place in a cell that is far from all of them.
    const found = await page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("canvas.heatmap"));
      const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      const { width, height } = canvas;
      const { data } = pen.getImageData(0, 0, width, height);
      /** @param {string} name */
      const color = (name) => {
        const probe = document.createElement("span");
        probe.style.setProperty("color", `var(${name})`);
        document.body.append(probe);
        const text = document.defaultView?.getComputedStyle(probe).color ?? "";
        probe.remove();
        return (text.match(/\d+/g) ?? []).slice(0, 3).join();
      };
      /** @param {number} x @param {number} y */
      const at = (x, y) => data.slice((y * width + x) * 4, (y * width + x) * 4 + 3).join();
      /** @param {number} x @param {number} y @param {number} radius @param {(text: string) => boolean} fits */
      const around = (x, y, radius, fits) => {
        for (let dx = -radius; dx <= radius; dx++)
          for (let dy = -radius; dy <= radius; dy++)
            if (Math.abs(dx) + Math.abs(dy) <= radius && !fits(at(x + dx, y + dy))) return false;
        return true;
      };
      const mark = color("--text");
      const heat = [0, 1, 2, 3, 4, 5].map((one) => color(`--heat-${one}`));
      let exemplar;
      let cell;
      for (let y = 16; y < height - 40; y++) {
        for (let x = 80; x < width - 16; x++) {
          const here = at(x, y);
          if (!exemplar && here === mark && around(x, y, 2, (text) => text === mark)) exemplar = { x, y };
          if (!cell && heat.includes(here) && around(x, y, 2, (text) => text === here))
            if (around(x, y, 12, (text) => text !== mark)) cell = { x, y };
        }
      }
      return { exemplar, cell };
    });
    assert.ok(found.cell && found.exemplar, JSON.stringify(found));
    await page.mouse.move(box.x + found.cell.x, box.y + found.cell.y);
    assert.match((await page.locator(".readout").textContent()) ?? "", /^[1-9]/);
    await page.mouse.click(box.x + found.cell.x, box.y + found.cell.y);
    const chosen = page.getByRole("region", { name: "Traces of the chosen cell" });
    await chosen.getByRole("table").waitFor();
    assert.match((await chosen.getByRole("heading").textContent()) ?? "", / to .*, \d\d:\d\d:\d\d to /);
    await page.evaluate(() => {
      document.defaultView?.scrollTo(0, 0);
    });
    const again = await map.boundingBox();
    assert.ok(again);
    await page.mouse.move(again.x + found.exemplar.x, again.y + found.exemplar.y);
    await page.locator("canvas.pointed").waitFor();
    assert.match((await page.locator(".readout").textContent()) ?? "", /^[1-9]/);
    await page.mouse.click(again.x + found.exemplar.x, again.y + found.exemplar.y);
    await page.waitForURL(/#\/trace\/[0-9a-f]{32}/);
    await page.getByRole("treegrid").waitFor();
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
    await page.getByText("processor time that threads waited for, by whose threads had it").waitFor();
    const over = page.getByRole("region", { name: "Over time" });
    await over.getByRole("heading", { name: /^media took .* from shop$/ }).waitFor();
    const matrix = page.getByRole("region", { name: "Matrix" });
    const culprits = await matrix.getByRole("columnheader").allTextContents();
    assert.deepEqual(culprits, ["media", "{kernel}", "shop", "{host}", "all"]);
    // Noisy for 4 of 20 minutes, 3 s in each report of 10 s.
    const shop = matrix.getByRole("row", { name: /^shop/ });
    assert.deepEqual(await shop.getByRole("cell").allTextContents(), ["1.2 min", "2.4 s", "·", "600 ms", "1.25 min"]);
    assert.match((await over.getByRole("img").getAttribute("aria-label")) ?? "", /at most/);
    const apart = page.getByRole("region", { name: "Nobody else's doing" });
    assert.deepEqual(await apart.getByRole("row", { name: /^shop/ }).getByRole("cell").allTextContents(), [
      "shop",
      "8 min",
      "36 s",
    ]);
    await picture("neighbours");
    await matrix.getByRole("row", { name: /^acme/ }).getByRole("link").first().click();
    await over.getByRole("heading", { name: /^shop took .* from acme$/ }).waitFor();
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

  it("can be read in the dark, every view of it, and by day", async () => {
    const robbed = encodeURIComponent('{ resource.service.name = "catalog" && span.headspan.stolen_ns > 50000000 }');
    for (const colorScheme of /** @type {const} */ (["dark", "light"])) {
      const other = await browser.newPage({ viewport: { width: 1400, height: 850 }, colorScheme });
      await other.goto(`${base}#/search?q=${robbed}`);
      const first = other
        .getByRole("table")
        .getByRole("link", { name: /orders|items/ })
        .first();
      await first.waitFor();
      const trace = (await first.getAttribute("href")) ?? "";
      const series = encodeURIComponent("{ kind = server } | rate() by (resource.service.name)");
      for (const [name, hash] of Object.entries({
        functions: "#/functions",
        search: `#/search?q=${robbed}`,
        series: `#/search?q=${series}`,
        trace,
        latency: "#/latency",
        map: "#/map",
        neighbours: "#/neighbours",
        explain: "#/explain?service=gateway&from=now-12m",
        compare: "#/compare?service=gateway&from=now-12m",
        sampling: "#/sampling",
      })) {
        await other.goto(base + hash);
        await other.locator("main h1, main .searchbar").first().waitFor();
        await other.waitForFunction(() => !document.querySelector("[aria-busy], .spinner"));
        if (name === "trace") await other.locator(".loglines").waitFor();
        if (name === "functions") await other.locator(".sparkline").first().waitFor();
        if (pictures)
          await other.screenshot({ path: path.join(pictures, `${colorScheme}-${name}.png`), fullPage: true });
        const faint = await other.evaluate(() => {
          /** @param {Element} one */
          const styleOf = (one) => /** @type {Window} */ (document.defaultView).getComputedStyle(one);
          /** @param {string} text */
          const rgba = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
          /** @param {number[]} color */
          const light = (color) => {
            const [r = 0, g = 0, b = 0] = color.map((one) => {
              const part = one / 255;
              return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const bad = [];
          for (const one of document.querySelectorAll("body *:not(svg *):not(option)")) {
            const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
            if (!own || one.getClientRects().length === 0 || one.closest(".unseen, [hidden], dialog")) continue;
            let behind = one;
            let ground = rgba(styleOf(behind).backgroundColor);
            while (ground[3] === 0 && behind.parentElement) {
              behind = behind.parentElement;
              ground = rgba(styleOf(behind).backgroundColor);
            }
            const [a, b] = [light(rgba(styleOf(one).color)), light(ground)];
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (contrast < 4)
              bad.push(`${one.className} "${one.textContent?.trim().slice(0, 30)}" ${contrast.toFixed(2)}`);
          }
          return [...new Set(bad)];
        });
        assert.deepEqual(faint, [], `${colorScheme} ${name}`);
      }
      await other.close();
    }
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
