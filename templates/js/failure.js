// How an event ends when something went wrong.

import { log } from "belfry:bot/log@0.1.0";

/**
 * What to throw from `handle`: what was not done and may work later is tried again, anything else is not.
 *
 * To end an event yourself, throw `permanent("why")` or `retry("why")`.
 *
 * @param {any} error
 * @returns {import("belfry:bot/handler@0.1.0").Failure}
 */
export function failureOf(error) {
  if (error?.tag === "retry" || error?.tag === "permanent") {
    return error;
  }
  const refused = error?.payload;
  switch (refused?.tag) {
    case "rate-limited":
      return retry(said(refused.val.detail), refused.val.retryAfterMs);
    case "unavailable":
      return retry(said(refused.val));
    case "denied":
    case "invalid":
    case "not-found":
    case "outcome-unknown":
      return permanent(said(refused.val));
    default:
      return mistake(error);
  }
}

/**
 * @param {string} reason
 * @param {number | null} afterMs at least so long from now
 * @returns {import("belfry:bot/handler@0.1.0").Failure}
 */
export function retry(reason, afterMs = null) {
  return { tag: "retry", val: { reason, afterMs } };
}

/**
 * @param {string} reason
 * @returns {import("belfry:bot/handler@0.1.0").Failure}
 */
export function permanent(reason) {
  return { tag: "permanent", val: reason };
}

/** @param {import("belfry:bot/api@0.1.0").Detail} detail */
function said(detail) {
  return `${detail.message} (${detail.code})`;
}

/**
 * Names a mistake by its place. Its own text, which may repeat what people wrote, goes to the debug log alone.
 * @param {any} error
 */
function mistake(error) {
  log("debug", String(error));
  const [place = "at an unknown place"] = String(error?.stack ?? "").trim().split("\n");
  return permanent(`${error?.name ?? typeof error} ${place}`);
}
