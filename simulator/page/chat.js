// The messages of the group on show, kept at their end while the reader is there.
import { el, empty, fill, oncePerFrame, put } from "./dom.js";
import { drawContent } from "./message.js";
import { fullTime, shortTime } from "./clock.js";
import { avatar, groupName, nameOf, robotAvatar } from "./people.js";
import { mentionMarker } from "./mentions.js";
import { appByName, groupById, on, state } from "./store.js";

const SHOWN = 200;
const GAP_MS = 5 * 60 * 1000;

/** What became of the push of a message written here, by message id: a function that draws it. */
const outcomes = new Map();
let log = null;

/** Keeps the outcome of a message's push and shows it at the message, also when that one arrives later. */
export function setOutcome(messageId, draw) {
  outcomes.set(messageId, draw);
  const place = [...(log?.querySelectorAll(".message") ?? [])].find((node) => node.dataset.message === messageId);
  if (place) fill(place.querySelector(".outcome"), draw());
}

/** Builds the pane's head and its log of messages. */
export function mountChat(root) {
  const title = el("div", { class: "chat-title" });
  log = el("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "消息 Messages", tabindex: "0" });
  const below = el("button", { type: "button", class: "below", hidden: true, onclick: toEnd }, "↓ 新消息 New messages");
  root.append(el("header", { class: "chat-head" }, title), el("div", { class: "log-frame" }, log, below));
  let shown = SHOWN;
  let following = true;
  let fresh = [];

  function drawHead() {
    const group = groupById(state.group);
    fill(title, group && el("h2", {}, groupName(group)),
      group && el("span", { class: "muted small" }, group.kind === "single" ? "单聊 Single chat" : `${group.members.length} 人 members · ${group.robots.length} 个机器人 robots`),
      group?.disbanded && el("span", { class: "pill grey" }, "已解散 Disbanded"));
  }

  function drawAll() {
    drawHead();
    fresh = [];
    const group = groupById(state.group);
    // A whole redraw is no news: a screen reader would read all of it aloud.
    log.setAttribute("aria-live", "off");
    const messages = group?.messages ?? [];
    const older = messages.length - shown;
    fill(log, older > 0 && el("button", { type: "button", class: "quiet older", onclick: () => { shown += SHOWN; drawAll(); } }, `更早的消息 Earlier (${older})`));
    if (messages.length === 0) put(log, empty(group ? "还没有消息，写一句吧 No messages yet: write one" : "选择一个群 Choose a group"));
    messages.slice(-shown).forEach((message, at, list) => put(log, ...line(message, list[at - 1], group)));
    toEnd();
    requestAnimationFrame(() => log.setAttribute("aria-live", "polite"));
  }

  function toEnd() {
    following = true;
    log.scrollTop = log.scrollHeight;
    below.hidden = true;
  }

  log.addEventListener("scroll", () => {
    // A hidden log has no height and scrolls nowhere: that says nothing about the reader.
    if (log.clientHeight === 0) return;
    following = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    if (following) below.hidden = true;
  });
  // Pictures arrive after their message, windows change their size, tabs come back: stay at the end if the reader was there.
  const keepEnd = () => { if (following) toEnd(); };
  log.addEventListener("load", keepEnd, true);
  new ResizeObserver(keepEnd).observe(log);

  on("loaded", drawAll);
  on("select", () => { shown = SHOWN; drawAll(); });
  on("writer", drawAll);
  on("group", (group) => { if (group.id === state.group) drawAll(); });
  on("message", ({ group, message }) => {
    if (group.id !== state.group) return;
    fresh.push({ message, before: group.messages.at(-2) });
    drawFresh();
  });

  const drawFresh = oncePerFrame(() => {
    const group = groupById(state.group);
    const follow = following || fresh.some(({ message }) => isOwn(message));
    // A reader at the end does not need thousands of older lines kept above.
    if (fresh.length > SHOWN || (follow && log.children.length > 3 * SHOWN)) {
      shown = SHOWN;
      drawAll();
      return;
    }
    log.querySelector(".empty")?.remove();
    for (const { message, before } of fresh) put(log, ...line(message, before, group));
    fresh = [];
    if (follow) toEnd();
    else below.hidden = false;
  });
}

const isOwn = (message) => message.sender?.kind === "user" && message.sender.id === state.writer;

function line(message, before, group) {
  const apart = !before || message.at - before.at > GAP_MS;
  return [apart && el("div", { class: "time-line" }, shortTime(message.at)), draw(message, group)];
}

function draw(message, group) {
  const { kind = "app", id = "", name } = message.sender ?? {};
  const shownName = name || (kind === "user" ? nameOf(id) : appByName(id)?.name ?? id);
  const marker = mentionMarker(message, group.robots);
  const body = message.recalled
    ? el("div", { class: "body" }, el("span", { class: "muted" }, "消息已撤回 Recalled"))
    : drawContent(message.msgtype, message.content, marker.words);
  const rest = marker.rest();
  const outcome = outcomes.get(message.id);
  return el("article", { class: `message ${isOwn(message) ? "own" : ""} ${kind}`, "data-message": message.id },
    kind === "user" ? avatar(id) : robotAvatar(),
    el("div", { class: "said" },
      el("div", { class: "who" },
        el("span", { class: "name" }, shownName),
        kind !== "user" && el("span", { class: "tag" }, kind === "robot" ? "机器人 robot" : "应用 app"),
        el("time", { class: "muted", title: fullTime(message.at) }, shortTime(message.at))),
      el("div", { class: `bubble ${message.msgtype === "text" ? "" : "wide"}` }, body, rest.length > 0 && el("div", { class: "mentions-rest" }, ...rest)),
      el("div", { class: "outcome" }, outcome?.())));
}
