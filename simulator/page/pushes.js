// The outcome of a push to an app's callback or robot address.
import { el } from "./dom.js";

/** One attempt in words: `HTTP 200 · 3 ms · success`. */
export function attemptWords(attempt) {
  return `${attempt.status ? `HTTP ${attempt.status}` : "无应答 no answer"} · ${outcomeWords(attempt)}`;
}

/** The same without the status: `3 ms · success`. */
export function outcomeWords(attempt) {
  const ms = attempt.ms === undefined || attempt.ms === null ? "" : `${attempt.ms} ms · `;
  return `${ms}${attempt.success ? "成功 success" : "失败 failed"}${attempt.error ? ` · ${attempt.error}` : ""}`;
}

/** Every attempt of a report, the second deliveries of a duplicate fault after their first. */
export function attemptLines(report) {
  const lines = (report.attempts ?? []).map((attempt) => ({ attempt, words: attemptWords(attempt) }));
  const twice = (report.duplicates ?? []).map((attempt) => ({ attempt, words: `重复 duplicate: ${attemptWords(attempt)}` }));
  return [...lines, ...twice];
}

/** The whole report of `POST /_sim/messages` or `/_sim/events` as a small line. */
export function pushReport(report) {
  const attempts = report.attempts ?? [];
  if (attempts.length === 0) return el("span", { class: "push-note" }, report.delivered ? "已推送 delivered" : "未推送给机器人 not pushed to a robot");
  const last = attempts.at(-1);
  const tries = attempts.length > 1 ? `第 ${attempts.length} 次 try ${attempts.length} · ` : "";
  return el("span", { class: `push-note ${last.success ? "good" : "bad"}`, title: attemptLines(report).map(({ words }) => words).join("\n") },
    `${last.success ? "✓" : "✗"} 推送 Push ${tries}${attemptWords(last)}${report.duplicates?.length ? " · 重复 duplicated" : ""}`);
}
