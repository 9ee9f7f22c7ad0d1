/** Elements without a framework: made once, filled, and left to the browser. */

export type Child = Node | string | number | null | undefined | false | readonly Child[];

export type Properties = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/**
 * Makes an element. Functions under "on…" become listeners, `true` an empty attribute, `false` and nothing no attribute;
 * all else is an attribute. Styles are set by rules or by `place`, never by an attribute, which the page's security
 * policy forbids.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties?: Properties | null,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, properties, children);
  return element;
}

/** The same for the elements of drawings. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  properties?: Properties | null,
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, properties, children);
  return element;
}

function fill(element: Element, properties: Properties | null | undefined, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2).toLowerCase(), value as unknown as EventListener);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  append(element, children);
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) {
      append(element, child as readonly Child[]);
    } else if (child !== null && child !== undefined && child !== false) {
      element.append(child as Node | string);
    }
  }
}

/** Puts other children in place of those there are. */
export function replace(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

/** Sets styles that depend on data. */
export function place<E extends HTMLElement | SVGElement>(element: E, styles: Record<string, string>): E {
  for (const [name, value] of Object.entries(styles)) {
    element.style.setProperty(name, value);
  }
  return element;
}

/** A number that only this element has, to name it for others. */
let lastId = 0;
export function uniqueId(prefix: string): string {
  lastId += 1;
  return `${prefix}-${lastId}`;
}
