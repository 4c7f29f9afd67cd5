// How an event ends when something went wrong.

import type { Detail } from "belfry:bot/api@0.1.0";
import type { Failure } from "belfry:bot/handler@0.1.0";
import { log } from "belfry:bot/log@0.1.0";

/**
 * What to throw from `handle`: what was not done and may work later is tried again, anything else is not.
 *
 * To end an event yourself, throw `permanent("why")` or `retry("why")`.
 */
export function failureOf(error: any): Failure {
  if (error?.tag === "retry" || error?.tag === "permanent") {
    return error;
  }
  const refused = error?.payload;
  switch (refused?.tag) {
    case "rate-limited":
      return retry(said(refused.val.detail), refused.val.retryAfterMs);
    case "unavailable":
      // The store's has no more to say.
      return retry(refused.val ? said(refused.val) : "kv: unavailable");
    case "invalid-key":
    case "value-too-large":
    case "full":
      return permanent(`kv: ${refused.tag}`);
    case "denied":
    case "invalid":
    case "not-found":
    case "outcome-unknown":
      return permanent(said(refused.val));
    default:
      return mistake(error);
  }
}

/** Ends the event for now; `afterMs` is how long to wait at least. */
export function retry(reason: string, afterMs: number | null = null): Failure {
  return { tag: "retry", val: { reason, afterMs } };
}

/** Ends the event for good. */
export function permanent(reason: string): Failure {
  return { tag: "permanent", val: reason };
}

function said(detail: Detail): string {
  return `${detail.message} (${detail.code})`;
}

/** Names a mistake by its place. Its own text, which may repeat what people wrote, goes to the debug log alone. */
function mistake(error: any): Failure {
  log("debug", String(error));
  const [place = "at an unknown place"] = String(error?.stack ?? "").trim().split("\n");
  return permanent(`${error?.name ?? typeof error} ${place}`);
}
