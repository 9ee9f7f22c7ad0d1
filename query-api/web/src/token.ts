import { el, replace } from "./dom.ts";

/** The token that requests carry: kept until the tab is closed, and seen by no other. */

const KEY = "headspan-token";

export function token(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

function keep(value: string): void {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** Asks for a token, and calls `then` when there is another one, or none any more. */
export function tokenForm(then: () => void): HTMLElement {
  const had = token() !== "";
  const field = el("input", {
    type: "password",
    class: "token",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": "Token",
    placeholder: "token",
  });
  const form = el(
    "form",
    {
      class: "tokenform",
      onsubmit: (event: Event) => {
        event.preventDefault();
        keep(field.value.trim());
        then();
      },
    },
    field,
    el("button", { class: "primary" }, "Use it"),
    had &&
      el(
        "button",
        {
          type: "button",
          onclick: () => {
            keep("");
            then();
          },
        },
        "Forget it",
      ),
  );
  return form;
}

/** The same in a dialog, which says what a token is for. */
export function tokenDialog(then: () => void): HTMLDialogElement {
  const content = el("div", null);
  const dialog = el("dialog", { "aria-labelledby": "token-title" }, content);
  dialog.addEventListener("toggle", () => {
    replace(
      content,
      el("h2", { id: "token-title" }, "Token"),
      el(
        "p",
        null,
        token()
          ? "Requests carry the token that you gave. It is forgotten when this tab is closed."
          : "Where the API asks for one: it is kept until this tab is closed.",
      ),
      tokenForm(() => {
        dialog.close();
        then();
      }),
    );
    content.querySelector("input")?.focus();
  });
  return dialog;
}
