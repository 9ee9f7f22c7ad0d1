import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labelSide } from "../src/trace.ts";

describe("the label of a bar", () => {
  it("stands behind its bar where there is room", () => {
    assert.equal(labelSide(10, 40, 600, 200), "after");
  });

  it("stands before its bar where there is none behind", () => {
    assert.equal(labelSide(400, 590, 600, 200), "before");
  });

  it("stands on the bar's end where there is none beside", () => {
    // 228 ms of a trace, from a third on: 200 px before the bar would do for "139 ms", not for more.
    assert.equal(labelSide(205, 586, 617, 210), "inside");
    assert.equal(labelSide(0, 600, 600, 200), "inside");
  });

  it("has no place where it is wider than all there is", () => {
    assert.equal(labelSide(0, 100, 120, 200), undefined);
  });
});
