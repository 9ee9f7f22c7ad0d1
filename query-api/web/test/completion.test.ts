import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  completionAt,
  fieldSuggestions,
  fixedSuggestions,
  isMetrics,
  matching,
  quoted,
  quotedName,
  valueSuggestions,
} from "../src/completion.ts";

/** The cursor is where the bar stands. */
function at(text: string): { kind: string; prefix: string; field?: string; before: string } {
  const cursor = text.indexOf("¦");
  const completion = completionAt(text.replace("¦", ""), cursor);
  return {
    kind: completion.wanted.kind,
    prefix: completion.prefix,
    before: completion.before,
    ...(completion.wanted.kind === "value" ? { field: completion.wanted.field } : {}),
  };
}

describe("completion", () => {
  it("wants a field where a condition begins", () => {
    for (const text of ["{ ¦", "{ a = 1 && ¦", "{ a = 1 || ( ¦", "{} | by(¦", "{} | select(a, ¦", "{} | avg(¦"]) {
      assert.equal(at(text).kind, "field", text);
    }
  });

  it("tells what has been typed of a field", () => {
    assert.deepEqual(at("{ resource.serv¦"), { kind: "field", prefix: "resource.serv", before: "{ " });
    assert.equal(at('{ span."a b¦').prefix, 'span."a b');
  });

  it("wants an operator after a field, a value after that, and a joiner after the value", () => {
    assert.equal(at("{ name ¦").kind, "operator");
    assert.equal(at("{ name = ¦").kind, "value");
    assert.equal(at('{ name = "x" ¦').kind, "joiner");
    assert.equal(at("{ duration > 5ms ¦").kind, "joiner");
  });

  it("asks for values by the field and by what stands before the condition", () => {
    assert.deepEqual(at('{ status = error && resource.service.name = "ca¦" }'), {
      kind: "value",
      field: "resource.service.name",
      prefix: '"ca',
      before: "{ status = error && ",
    });
  });

  it("knows what comes between filters, and after a pipe", () => {
    assert.equal(at("¦").kind, "start");
    assert.equal(at("{} ¦").kind, "combination");
    assert.equal(at("{} | ¦").kind, "stage");
    assert.equal(at("{} && ¦").kind, "start");
    assert.equal(at("{} >> ¦").kind, "start");
  });

  it("knows the operators between filters, negated and of both sides", () => {
    const texts = fixedSuggestions({ kind: "combination" }, true).map((one) => one.text);
    for (const operator of [">>", "<<", ">", "<", "~"]) {
      for (const text of [operator, `!${operator}`, `&${operator}`]) {
        assert.ok(texts.includes(text), text);
        assert.equal(at(`{} ${text} ¦`).kind, "start", text);
      }
    }
    for (const begun of ["!", "&"]) {
      const found = at(`{} ${begun}¦`);
      assert.equal(found.kind, "combination", begun);
      assert.equal(found.prefix, begun);
    }
    assert.equal(at("{ !¦").kind, "field");
  });

  it("knows metrics, their groups, what may follow them, and hints", () => {
    const texts = fixedSuggestions({ kind: "stage" }, true).map((one) => one.text);
    for (const name of ["rate()", "quantile_over_time(…)", "histogram_over_time(…)", "compare(…)"]) {
      assert.ok(texts.includes(name), name);
      assert.ok(!fixedSuggestions({ kind: "stage" }, false).some((one) => one.text === name), name);
    }
    assert.equal(at("{} | rate() ¦").kind, "metrics");
    assert.equal(at("{} | rate() by(¦").kind, "field");
    assert.equal(at("{} | rate() by(name) ¦").kind, "metrics");
    assert.equal(at("{} | rate() by(name) | ¦").kind, "secondStage");
    assert.equal(at("{} | rate() | topk(¦").kind, "nothing");
    assert.equal(at("{} | rate() with(¦").kind, "hint");
    assert.equal(at("{} | rate() with(exemplars=true) ¦").kind, "nothing");
    assert.equal(at("{} | quantile_over_time(¦").kind, "field");
    assert.equal(at("{} | quantile_over_time(duration, ¦").kind, "nothing");
    assert.equal(at("{} | compare(¦").kind, "start");
    assert.equal(at("{} | compare({ status = error }) ¦").kind, "metrics");
    assert.equal(at("({} | rate()) / ({} | ¦").kind, "stage");
    assert.equal(at("({} | rate()) / ({} | rate()) ¦").kind, "metrics");
  });

  it("tells series from traces", () => {
    assert.ok(isMetrics("{ status = error } | rate() by (name)"));
    assert.ok(!isMetrics('{ name = "rate()" } | count() > 2'));
  });

  it("suggests nothing inside of numbers and after counts", () => {
    assert.equal(at("{} | count() > ¦").kind, "nothing");
    assert.equal(at("{ 1¦").kind, "nothing");
  });

  it("offers names with their scopes, quoted where they must be", () => {
    const texts = fieldSuggestions([
      { name: "intrinsic", tags: ["duration", "span:id"] },
      { name: "span", tags: ["http.route", "with space"] },
    ]).map((one) => one.text);
    assert.deepEqual(texts, ["duration", "span.http.route", 'span."with space"', "span:id"]);
  });

  it("quotes strings and nothing else", () => {
    const texts = valueSuggestions([
      { type: "string", value: 'a "b" \\' },
      { type: "int", value: "5" },
      { type: "keyword", value: "error" },
    ]).map((one) => one.text);
    assert.deepEqual(texts, ['"a \\"b\\" \\\\"', "5", "error"]);
    assert.equal(quoted("x"), '"x"');
    assert.equal(quotedName("a/b-c.d"), "a/b-c.d");
  });

  it("puts what begins with the typed text before what holds it", () => {
    const all = ["span.a", "name", "spanname"].map((text) => ({ text, detail: "" }));
    assert.deepEqual(
      matching(all, "name", 9).map((one) => one.text),
      ["name", "spanname"],
    );
    assert.equal(matching(all, "", 2).length, 2);
  });
});
