/** How numbers and times are written, the same everywhere. */

const MS = 1e6;

/** A duration in three digits and the unit that suits it. */
export function duration(ns: number): string {
  const abs = Math.abs(ns);
  if (abs < 1e3) return `${Math.round(ns)} ns`;
  if (abs < MS) return `${digits(ns / 1e3)} µs`;
  if (abs < 1e9) return `${digits(ns / MS)} ms`;
  if (abs < 60e9) return `${digits(ns / 1e9)} s`;
  if (abs < 3600e9) return `${digits(ns / 60e9)} min`;
  return `${digits(ns / 3600e9)} h`;
}

function digits(value: number): string {
  const abs = Math.abs(value);
  return value
    .toFixed(abs >= 99.5 ? 0 : abs >= 9.95 ? 1 : 2)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

/** A count with thousands told apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-GB");
}

/** A share as a percentage. */
export function percent(share: number): string {
  if (share === 0) return "0 %";
  const value = share * 100;
  return Math.abs(value) < 0.1 ? "< 0.1 %" : `${digits(value)} %`;
}

/** A number of no known unit. */
export function number(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString("en-GB");
  return digits(value);
}

/** Nanoseconds since the epoch as local time of day; with the date unless it is today's. */
export function time(ns: bigint | number, now = new Date()): string {
  const date = new Date(Number(BigInt(ns) / 1_000_000n));
  const clock = date.toLocaleTimeString("en-GB", { hour12: false });
  return date.toDateString() === now.toDateString() ? clock : `${day(date)} ${clock}`;
}

/** The same with milliseconds, always with the date. */
export function exactTime(ns: bigint): string {
  const ms = Number(ns / 1_000_000n);
  const date = new Date(ms);
  const rest = String(ns % 1_000_000_000n)
    .padStart(9, "0")
    .slice(0, 6);
  return `${day(date)} ${date.toLocaleTimeString("en-GB", { hour12: false })}.${rest}`;
}

function day(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The hour and minute of milliseconds since the epoch, for axes. */
export function clock(ms: number, withSeconds: boolean): string {
  const date = new Date(ms);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return withSeconds ? `${minutes}:${two(date.getSeconds())}` : minutes;
}
