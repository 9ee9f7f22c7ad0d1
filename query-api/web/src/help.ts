import { type Child, el } from "./dom.ts";
import type { View } from "./view.ts";

/** The keys, in a dialog. */
export function helpDialog(tabs: readonly View[]): HTMLDialogElement {
  const row = (keys: readonly string[], meaning: string): Child =>
    el(
      "tr",
      null,
      el(
        "td",
        { class: "nowrap" },
        keys.map((key) => [el("kbd", null, key), " "]),
      ),
      el("td", null, meaning),
    );
  const dialog = el(
    "dialog",
    { "aria-labelledby": "help-title" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "help-title" }, "Keys"),
      el(
        "table",
        null,
        el(
          "tbody",
          null,
          tabs.map((view) => row(["g", view.key], view.title)),
          row(["/"], "to the query; Ctrl+Space suggests, Tab takes the first suggestion"),
          row(["j", "k"], "down and up in lists and traces, as the arrow keys"),
          row(["Enter"], "open"),
          row(["←", "→"], "in a trace: close and open a span's children"),
          row(["e", "E"], "in a trace: next and previous failure"),
          row(["[", "]"], "earlier, later"),
          row(["r"], "ask again"),
          row(["t"], "light, dark, or as the system"),
          row(["?"], "this"),
        ),
      ),
      el("p", { class: "faint" }, "Every view's address can be sent to a colleague as it stands."),
      el("button", { class: "primary", autofocus: true }, "Close"),
    ),
  );
  return dialog;
}
