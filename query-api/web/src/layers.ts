/**
 * Puts names into columns so that calls go to the right where they can: a name stands one column after the last of its
 * callers; calls that close a circle are looked at no further. Within a column, names stand near their callers.
 */
export function layers(names: readonly string[], calls: readonly (readonly [string, string])[]): string[][] {
  const callees = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const [from, to] of calls) {
    if (from !== to) callees.get(from)?.push(to);
  }
  const state = new Map<string, "open" | "done">();
  const order: string[] = [];
  const backwards = new Set<string>();
  const visit = (start: string): void => {
    const open: { name: string; next: number }[] = [{ name: start, next: 0 }];
    state.set(start, "open");
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const callee = (callees.get(top.name) ?? [])[top.next];
      top.next += 1;
      if (callee === undefined) {
        state.set(top.name, "done");
        order.push(top.name);
        open.pop();
      } else if (state.get(callee) === "open") {
        backwards.add(`${top.name}\n${callee}`);
      } else if (!state.has(callee)) {
        state.set(callee, "open");
        open.push({ name: callee, next: 0 });
      }
    }
  };
  const called = new Set(calls.filter(([from, to]) => from !== to).map(([, to]) => to));
  for (const name of names) if (!called.has(name)) visit(name);
  for (const name of names) if (!state.has(name)) visit(name);

  const column = new Map<string, number>(names.map((name) => [name, 0]));
  for (const name of order.reverse()) {
    for (const callee of callees.get(name) ?? []) {
      if (backwards.has(`${name}\n${callee}`)) continue;
      column.set(callee, Math.max(column.get(callee) ?? 0, (column.get(name) ?? 0) + 1));
    }
  }
  const columns: string[][] = [];
  for (const name of [...names].sort()) {
    const at = column.get(name) ?? 0;
    while (columns.length <= at) columns.push([]);
    columns[at]?.push(name);
  }
  const height = new Map<string, number>();
  for (const one of columns) {
    const wish = (name: string): number => {
      const callers = calls
        .filter(([from, to]) => to === name && height.has(from))
        .map(([from]) => height.get(from) ?? 0);
      return callers.length === 0 ? 0 : callers.reduce((sum, value) => sum + value, 0) / callers.length;
    };
    const wishes = new Map(one.map((name) => [name, wish(name)]));
    one.sort((a, b) => (wishes.get(a) ?? 0) - (wishes.get(b) ?? 0) || (a < b ? -1 : 1));
    for (const [i, name] of one.entries()) height.set(name, (i + 0.5) / one.length);
  }
  return columns;
}
