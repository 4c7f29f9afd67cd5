// The work notices, as each person sees them.
import { el, empty, fill } from "./dom.js";
import { fullTime } from "./clock.js";
import { drawContent } from "./message.js";
import { avatar, nameAndId, nameOf, robotAvatar } from "./people.js";
import { on, state } from "./store.js";

/** Builds the tab: the people who got something at the left, their notices at the right. */
export function mountNotices(root) {
  const people = el("ul", { class: "person-list" });
  const list = el("div", { class: "cards", "aria-live": "polite" });
  root.append(
    el("section", { class: "pane side-list" }, el("h2", { class: "column-title" }, "收件人 Receivers"), people),
    el("section", { class: "pane grow" }, el("header", { class: "pane-head" }, el("h2", {}, "工作通知 Work notices")), list));
  let shown = null;

  function draw() {
    const notices = [...state.notices].sort((a, b) => b.at - a.at);
    const counts = new Map();
    for (const notice of notices) {
      for (const userid of touched(notice)) counts.set(userid, (counts.get(userid) ?? 0) + 1);
    }
    if (shown !== null && !counts.has(shown)) shown = null;
    const focused = document.activeElement?.dataset?.person;
    fill(people, personRow(null, "所有人 Everybody", notices.length),
      ...[...counts].map(([userid, count]) => personRow(userid, nameAndId(userid), count)));
    if (focused !== undefined) [...people.querySelectorAll("button")].find((button) => button.dataset.person === focused)?.focus();
    const rows = notices.filter((notice) => shown === null || touched(notice).includes(shown));
    fill(list, ...rows.map(card));
    if (rows.length === 0) fill(list, empty("还没有工作通知 No work notices yet"));
  }

  function personRow(userid, words, count) {
    return el("li", {}, el("button", {
      type: "button", class: `person-row ${shown === userid ? "shown" : ""}`, "data-person": userid ?? "", "aria-pressed": String(shown === userid),
      onclick: () => { shown = userid; draw(); },
    }, userid === null ? robotAvatar("small") : avatar(userid, "small"), el("span", { class: "grow" }, words), el("span", { class: "muted" }, count)));
  }

  for (const topic of ["loaded", "notice"]) on(topic, draw);
}

/** Everybody a notice names: who got it, and whose copy was dropped. */
const touched = (notice) => [...new Set([...(notice.receivers ?? []), ...(notice.dropped ?? []).map((drop) => drop.userid)])];

function card(notice) {
  const msg = notice.msg ?? {};
  const app = state.apps.find((entry) => entry.agentId === notice.agentId);
  return el("article", { class: `notice ${notice.recalled ? "gone" : ""}` },
    el("header", {}, robotAvatar(),
      el("div", { class: "grow" }, el("strong", {}, app?.name ?? `agent ${notice.agentId}`),
        el("div", { class: "muted small" }, `${fullTime(notice.at)} · task ${notice.taskId}`)),
      notice.recalled && el("span", { class: "pill grey" }, "已撤回 Recalled")),
    el("div", { class: "bubble wide" }, drawContent(msg.msgtype, msg)),
    el("footer", {},
      el("span", { class: "muted small" }, `送达 Received by: ${(notice.receivers ?? []).map(nameOf).join("、") || "—"}`),
      ...(notice.dropped ?? []).map(({ userid, code }) => el("span", { class: "pill red" }, `未送达 dropped: ${nameOf(userid)} (${code})`))));
}
