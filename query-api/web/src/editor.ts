import * as api from "./api.ts";
import {
  type Completion,
  completionAt,
  fieldSuggestions,
  fixedSuggestions,
  matching,
  type Suggestion,
  valueSuggestions,
} from "./completion.ts";
import { el, replace, uniqueId } from "./dom.ts";

const MOST_SHOWN = 60;
const TYPING_PAUSE_MS = 120;

interface Editor {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
}

/**
 * A line for a TraceQL query that suggests what may come next: a combobox, as ARIA names it.
 *
 * @param metrics whether it may ask for series, too
 */
export function queryEditor(
  value: string,
  metrics: boolean,
  range: () => api.Range,
  submit: (query: string) => void,
  signal: AbortSignal,
): Editor {
  const listId = uniqueId("suggestions");
  const list = el("ul", {
    id: listId,
    role: "listbox",
    class: "suggestions",
    "aria-label": "Suggestions",
    hidden: true,
  });
  const input = el("input", {
    type: "text",
    class: "query mono",
    role: "combobox",
    "aria-label": "TraceQL query",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": listId,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    placeholder: '{ resource.service.name = "…" && duration > 100ms }',
    value,
  });
  let shown: Suggestion[] = [];
  let active = -1;
  let completion: Completion = completionAt(value, value.length);
  let asked = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const hide = (): void => {
    asked.abort();
    clearTimeout(timer);
    shown = [];
    active = -1;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const activate = (index: number): void => {
    active = index;
    for (const [i, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(i === index));
      if (i === index) {
        input.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    }
    if (index < 0) input.removeAttribute("aria-activedescendant");
  };

  const accept = (suggestion: Suggestion): void => {
    const inserted = suggestion.insert ?? suggestion.text;
    const end = input.selectionStart ?? input.value.length;
    const rest = input.value.slice(end);
    const tail = inserted.endsWith(" ") && rest.startsWith(" ") ? rest.slice(1) : rest;
    input.value = input.value.slice(0, completion.from) + inserted + tail;
    const cursor = completion.from + inserted.length;
    input.setSelectionRange(cursor, cursor);
    hide();
    suggest();
  };

  const show = (all: readonly Suggestion[]): void => {
    shown = matching(all, completion.prefix, MOST_SHOWN).filter((one) => one.text !== completion.prefix);
    if (shown.length === 0) {
      hide();
      return;
    }
    replace(
      list,
      shown.map((suggestion, i) =>
        el(
          "li",
          {
            id: `${listId}-${i}`,
            role: "option",
            "aria-selected": "false",
            onmousedown: (event: MouseEvent) => {
              event.preventDefault();
              accept(suggestion);
            },
          },
          el("span", { class: "mono" }, suggestion.text),
          el("span", { class: "faint" }, suggestion.detail),
        ),
      ),
    );
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    activate(-1);
  };

  const ask = async (): Promise<void> => {
    asked.abort();
    asked = new AbortController();
    const mine = AbortSignal.any([asked.signal, signal]);
    const { wanted, before } = completion;
    try {
      if (wanted.kind === "field") {
        show(fieldSuggestions((await api.tagNames(before, range(), mine)).scopes));
      } else if (wanted.kind === "value") {
        show(valueSuggestions((await api.tagValues(wanted.field, before, range(), mine)).tagValues));
      } else {
        show(fixedSuggestions(wanted, metrics));
      }
    } catch {
      // Suggestions are a help: without the API, or for a field that it does not know, there are none.
      if (!mine.aborted) hide();
    }
  };

  const suggest = (): void => {
    completion = completionAt(input.value, input.selectionStart ?? input.value.length);
    clearTimeout(timer);
    const needsApi = completion.wanted.kind === "field" || completion.wanted.kind === "value";
    timer = setTimeout(() => void ask(), needsApi ? TYPING_PAUSE_MS : 0);
  };

  input.addEventListener("input", suggest);
  input.addEventListener("click", suggest);
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    const open = !list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) {
        suggest();
        return;
      }
      const step = event.key === "ArrowDown" ? 1 : -1;
      activate((active + step + shown.length + (active < 0 && step < 0 ? 1 : 0)) % shown.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && open && active >= 0) {
      event.preventDefault();
      const chosen = shown[active];
      if (chosen) accept(chosen);
    } else if (event.key === "Tab" && open && !event.shiftKey && completion.prefix !== "") {
      event.preventDefault();
      const first = shown[0];
      if (first) accept(first);
    } else if (event.key === "Enter") {
      event.preventDefault();
      hide();
      submit(input.value.trim());
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      hide();
    } else if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      suggest();
    }
  });
  return { element: el("div", { class: "editor" }, input, list), input };
}
