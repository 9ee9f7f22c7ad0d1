/** Light or dark: as the system says, unless the reader chose. */

export type Theme = "auto" | "light" | "dark";

const KEY = "headspan.theme";
const THEMES: readonly Theme[] = ["auto", "light", "dark"];

export function themeName(): Theme {
  return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "auto";
}

function apply(): void {
  const theme = themeName();
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  // Drawings that do not follow the style's colours by themselves draw again.
  document.dispatchEvent(new Event("themechange"));
}

export function startTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

export function nextTheme(): void {
  const next = THEMES[(THEMES.indexOf(themeName()) + 1) % THEMES.length] ?? "auto";
  localStorage.setItem(KEY, next);
  apply();
}
