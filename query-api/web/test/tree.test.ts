import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readAccounts } from "../src/accounts.ts";
import type { KeyValue } from "../src/api.ts";
import { layers } from "../src/layers.ts";
import { hexId, layOut, readTrace, type Span } from "../src/tree.ts";

function span(id: string, parentId: string, startNs: number): Span {
  return {
    id,
    parentId,
    name: id,
    service: "s",
    tenant: "",
    kind: "server",
    failed: false,
    statusMessage: "",
    startNs,
    durationNs: 10,
    attributes: [],
    resource: [],
    scope: "",
    events: [],
    links: [],
  };
}

function drawn(spans: readonly Span[]): string[] {
  return layOut(spans).map((row) => `${" ".repeat(row.depth)}${row.span.id}${row.orphan ? "?" : ""}`);
}

describe("a trace's rows", () => {
  it("has parents above children, and children by their start", () => {
    const spans = [span("c", "a", 3), span("d", "b", 2), span("b", "a", 1), span("a", "", 0)];
    assert.deepEqual(drawn(spans), ["a", " b", "  d", " c"]);
    assert.deepEqual(
      layOut(spans).map((row) => row.below),
      [3, 1, 0, 0],
    );
  });

  it("marks spans whose parent never came", () => {
    assert.deepEqual(drawn([span("a", "", 5), span("b", "gone", 1)]), ["b?", "a"]);
  });

  it("leaves nothing out of circles, and of ids that come twice", () => {
    assert.equal(drawn([span("a", "b", 0), span("b", "a", 1)]).length, 2);
    assert.equal(drawn([span("a", "a", 0)]).length, 1);
    assert.equal(drawn([span("a", "", 0), span("a", "", 1), span("b", "a", 2)]).length, 3);
  });

  it("lays out a chain of 50,000 spans, one below the other", () => {
    const chain = Array.from({ length: 50_000 }, (_, i) => span(`s${i}`, i === 0 ? "" : `s${i - 1}`, i));
    const rows = layOut(chain);
    assert.equal(rows.length, 50_000);
    assert.equal(rows[0]?.below, 49_999);
    assert.equal(rows.at(-1)?.depth, 49_999);
  });

  it("reads protobuf's JSON: ids in base64, times as text", () => {
    const trace = readTrace({
      trace: {
        resourceSpans: [
          {
            resource: { attributes: [{ key: "service.name", value: { stringValue: "cart" } }] },
            scopeSpans: [
              {
                spans: [
                  {
                    traceId: "r8TIhzGhB79YbHJgYDQO5w==",
                    spanId: "LkOJT4NY6EE=",
                    startTimeUnixNano: "1795271759481069687",
                    endTimeUnixNano: "1795271759506245213",
                    status: { code: "STATUS_CODE_ERROR" },
                  },
                ],
              },
            ],
          },
        ],
      },
    });
    assert.equal(trace.rows[0]?.span.id, "2e43894f8358e841");
    assert.equal(trace.rows[0].span.service, "cart");
    assert.equal(trace.durationNs, 25175526);
    assert.equal(trace.failures, 1);
    assert.equal(hexId("AAAAAAAAAAA="), "");
  });
});

function accounts(values: Record<string, number>): KeyValue[] {
  return Object.entries(values).map(([name, value]) => ({
    key: `headspan.${name}_ns`,
    value: { intValue: String(value) },
  }));
}

describe("time accounts", () => {
  it("fill the bar as far as they go", () => {
    const read = readAccounts(accounts({ queue: 10, cpu: 20, stolen: 30, blocked: 15 }), 100);
    assert.deepEqual(read?.segments, [
      { account: "queue", ns: 10 },
      { account: "cpu", ns: 20 },
      { account: "stolen", ns: 30 },
      { account: "blocked", ns: 15 },
    ]);
    assert.equal(read.restNs, 25);
  });

  it("draw what was stolen before the pickup once, as stolen", () => {
    const read = readAccounts(accounts({ queue: 60, cpu: 40, stolen: 50 }), 100);
    assert.deepEqual(read?.segments, [
      { account: "queue", ns: 10 },
      { account: "cpu", ns: 40 },
      { account: "stolen", ns: 50 },
    ]);
    assert.equal(read.values.queue, 60);
    assert.equal(read.restNs, 0);
  });

  it("are absent where nothing was measured", () => {
    assert.equal(readAccounts([], 100), undefined);
  });
});

describe("layers of the map", () => {
  it("put callees to the right of all their callers", () => {
    assert.deepEqual(
      layers(
        ["d", "c", "b", "a"],
        [
          ["a", "b"],
          ["a", "c"],
          ["b", "c"],
          ["c", "d"],
        ],
      ),
      [["a"], ["b"], ["c"], ["d"]],
    );
  });

  it("end for circles and for those who call themselves", () => {
    const columns = layers(
      ["a", "b"],
      [
        ["a", "b"],
        ["b", "a"],
        ["a", "a"],
      ],
    );
    assert.deepEqual(columns.flat().sort(), ["a", "b"]);
  });
});
