import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Series } from "../src/api.ts";
import * as format from "../src/format.ts";
import { baselineParameter } from "../src/choice.ts";
import { added } from "../src/compare.ts";
import { readHeatMap, stepFor } from "../src/latency.ts";
import { address, parsePlace, resolveRange } from "../src/location.ts";
import { isTraceId } from "../src/search.ts";

describe("addresses", () => {
  it("come back as they went", () => {
    const q = '{ span."a b" = "100%&?#/ü" }';
    const place = parsePlace(address("trace", { q, from: undefined }, "0af7"));
    assert.equal(place.view, "trace");
    assert.equal(place.subject, "0af7");
    assert.equal(place.parameters.get("q"), q);
    assert.equal(place.parameters.has("from"), false);
  });

  it("resolve times relative to now, and never to nothing", () => {
    assert.deepEqual(resolveRange({ from: "now-15m", to: "now" }, 1_000_000_000), { start: 999_100, end: 1_000_000 });
    assert.deepEqual(resolveRange({ from: "1700000000000", to: "1700000000000" }), {
      start: 1699999999,
      end: 1700000000,
    });
    assert.deepEqual(resolveRange({ from: "?", to: "now" }, 7_200_000_000), { start: 7_196_400, end: 7_200_000 });
  });

  it("know a pasted trace id", () => {
    assert.ok(isTraceId("0af7651916cd43dd8448eb211c80319c"));
    assert.ok(!isTraceId("{}"));
  });
});

describe("figures", () => {
  it("have three digits and a unit", () => {
    const written = [0, 999, 1500, 12_345_678, 999_600_000, 59e9, 5400e9].map(format.duration);
    assert.deepEqual(written, ["0 ns", "999 ns", "1.5 µs", "12.3 ms", "1000 ms", "59 s", "1.5 h"]);
  });
});

describe("comparisons", () => {
  it("go back from the range wherever it is", () => {
    const range = { start: 100_000, end: 103_600 };
    assert.equal(baselineParameter("", range), undefined);
    assert.equal(baselineParameter("back:1d", range), "13600/17200");
    assert.equal(baselineParameter("back:never", range), undefined);
    assert.equal(baselineParameter("version:2", range), "version:2");
    assert.equal(baselineParameter("1/2", range), "1/2");
  });

  it("say what was added as a part of what there was", () => {
    assert.equal(added(2, 3), 0.5);
    assert.equal(added(0, 0), 0);
    assert.equal(added(0, 1), undefined);
    assert.equal(added(undefined, 1), undefined);
  });
});

describe("the heat map", () => {
  const bucket = (seconds: number, samples: [number, number][]): Series => ({
    labels: [{ key: "__bucket", value: { doubleValue: seconds } }],
    samples: samples.map(([ms, value]) => ({ timestampMs: String(ms), value })),
  });

  it("has a row for every power of two between the lowest and the highest used", () => {
    const range = { start: 600, end: 900 };
    const map = readHeatMap([bucket(2 ** 20 / 1e9, [[660_000, 3]]), bucket(2 ** 22 / 1e9, [[900_000, 1]])], range, 60);
    assert.equal(map.bounds.length, 3);
    assert.equal(map.endsMs.length, 5);
    assert.deepEqual(map.counts, [
      [3, 0, 0, 0, 0],
      [0, 0, 0, 0, 0],
      [0, 0, 0, 0, 1],
    ]);
  });

  it("takes a step that gives few enough columns", () => {
    assert.equal(stepFor({ start: 0, end: 3600 }, 120), 30);
    assert.equal(stepFor({ start: 0, end: 60 }, 120), 1);
  });
});
