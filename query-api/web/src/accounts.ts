import { type KeyValue, label } from "./api.ts";
import { numberOf, type Span } from "./tree.ts";

/** What became of an invocation's time, as the agent measured it (docs/time-accounts.md). */

export const ACCOUNTS = ["queue", "cpu", "stolen", "throttled", "blocked"] as const;
export type Account = (typeof ACCOUNTS)[number];

export const ACCOUNT_LABELS: Record<Account, string> = {
  queue: "Queue",
  cpu: "Own CPU",
  stolen: "Stolen",
  throttled: "Throttled",
  blocked: "Blocked",
};

export const ACCOUNT_MEANINGS: Record<Account, string> = {
  queue: "from the request's first byte until a thread read it",
  cpu: "on a processor",
  stolen: "runnable, while somebody else's thread had the processor",
  throttled: "runnable, but its own processor quota was used up",
  blocked: "asleep: waiting for calls, locks, disks",
};

export interface Accounts {
  readonly values: Readonly<Record<Account, number>>;
  /** What of the span's time is in no account. */
  readonly restNs: number;
  readonly culprit: string;
  readonly scope: string;
  /** Lengths that fill the bar without overlap, in the order of `ACCOUNTS`. */
  readonly segments: readonly { account: Account; ns: number }[];
}

/** A span's accounts; none if the agent did not measure it. */
export function accountsOf(span: Span): Accounts | undefined {
  return readAccounts(span.attributes, span.durationNs);
}

/**
 * Reads accounts from attributes. Time stolen or throttled before the pickup is in the queue time too: what the sum is
 * longer than the span is taken off the queue's part of the bar, and never off the figures.
 */
export function readAccounts(attributes: readonly KeyValue[], durationNs: number): Accounts | undefined {
  const values = {} as Record<Account, number>;
  let known = false;
  for (const account of ACCOUNTS) {
    const value = numberOf(attributes, `headspan.${account}_ns`);
    known ||= !Number.isNaN(value);
    values[account] = Number.isNaN(value) ? 0 : Math.max(0, value);
  }
  if (!known) return undefined;
  const sum = ACCOUNTS.reduce((total, account) => total + values[account], 0);
  const overlap = Math.min(values.queue, Math.max(0, sum - durationNs));
  const fitted = ACCOUNTS.map((account) => ({
    account,
    ns: account === "queue" ? values.queue - overlap : values[account],
  }));
  const fittedSum = sum - overlap;
  const scale = fittedSum > durationNs && fittedSum > 0 ? durationNs / fittedSum : 1;
  return {
    values,
    restNs: Math.max(0, durationNs - fittedSum),
    culprit: label(attributes, "headspan.culprit"),
    scope: label(attributes, "headspan.scope"),
    segments: fitted.map(({ account, ns }) => ({ account, ns: ns * scale })).filter(({ ns }) => ns > 0),
  };
}
