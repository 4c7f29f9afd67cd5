// Starts the page: the tabs, the side column, the state of the live stream.
import { expireTokens } from "/page/api.js";
import { mountApprovals } from "/page/approvals.js";
import { mountCalls } from "/page/calls.js";
import { mountChat } from "/page/chat.js";
import { mountComposer } from "/page/composer.js";
import { mountDetails } from "/page/details.js";
import { el, fill, icon } from "/page/dom.js";
import { mountEvents } from "/page/events.js";
import { mountFaults } from "/page/faults.js";
import { mountGroups } from "/page/groups.js";
import { mountNotices } from "/page/notices.js";
import { attempt, note } from "/page/notify.js";
import { connect, groupById, on, resetAll, selectGroup, state } from "/page/store.js";

const TABS = [
  ["chats", "消息", "Chats"], ["approvals", "审批", "Approvals"], ["notices", "工作通知", "Notices"],
  ["faults", "故障", "Faults"], ["events", "事件", "Events"],
];

const panels = new Map();
const buttons = new Map();
let shown = null;

for (const [name, chinese, english] of TABS) {
  const panel = el("div", { class: `panel ${name}`, hidden: true });
  const badge = el("span", { class: "count", hidden: true });
  const button = el("button", { type: "button", class: "rail-button", onclick: () => { location.hash = name; } },
    icon(name), el("span", {}, chinese), el("span", { class: "rail-english" }, english), badge);
  panels.set(name, panel);
  buttons.set(name, { button, badge });
  document.getElementById("main").append(panel);
  document.getElementById("rail").append(button);
}

const setBadge = (name) => (count) => {
  const { badge } = buttons.get(name);
  badge.hidden = count === 0;
  fill(badge, count > 99 ? "99+" : String(count));
};

const sideTabs = new Map();
const side = document.getElementById("side");
const sideBar = el("div", { class: "side-tabs" });
side.append(sideBar);
for (const [name, words] of [["calls", "接口调用 API calls"], ["details", "群信息 Group"]]) {
  const panel = el("div", { class: `side-panel ${name}`, hidden: true });
  const button = el("button", { type: "button", onclick: () => showSide(name) }, words);
  sideTabs.set(name, { button, panel });
  sideBar.append(button);
  side.append(panel);
}

function showSide(name) {
  for (const [other, { button, panel }] of sideTabs) {
    panel.hidden = other !== name;
    button.setAttribute("aria-pressed", String(other === name));
  }
}

const chats = panels.get("chats");
const groupColumn = el("section", { class: "groups-column", "aria-label": "群 Groups" });
const talk = el("section", { class: "talk", "aria-label": "聊天 Chat" });
chats.append(groupColumn, talk);
const redrawGroups = mountGroups(groupColumn, () => shown === "chats", setBadge("chats"));
mountChat(talk);
mountComposer(talk);
mountApprovals(panels.get("approvals"), setBadge("approvals"));
mountNotices(panels.get("notices"));
const refreshFaults = mountFaults(panels.get("faults"), () => shown === "faults");
mountEvents(panels.get("events"));
mountCalls(sideTabs.get("calls").panel);
mountDetails(sideTabs.get("details").panel);
showSide("calls");

function showTab() {
  const wanted = location.hash.slice(1);
  shown = panels.has(wanted) ? wanted : "chats";
  for (const [name, panel] of panels) {
    panel.hidden = name !== shown;
    buttons.get(name).button.setAttribute("aria-current", name === shown ? "page" : "false");
  }
  if (shown === "chats") redrawGroups();
  if (shown === "faults") refreshFaults();
}
window.addEventListener("hashchange", showTab);
showTab();

on("loaded", () => {
  if (!groupById(state.group) && state.groups.length > 0) {
    const remembered = sessionStorage.getItem("group");
    selectGroup(groupById(remembered)?.id ?? state.groups[0].id);
  }
});
on("select", (id) => sessionStorage.setItem("group", id ?? ""));

const LIVE = { connecting: "连接中 Connecting", live: "实时 Live", lost: "已断开，重连中 Lost, reconnecting" };
on("live", (live) => {
  const place = document.getElementById("live");
  place.className = `live stream-${live}`;
  fill(place, LIVE[live]);
});

document.getElementById("expire").addEventListener("click", (event) => attempt(event.currentTarget, async () => {
  await expireTokens();
  note("所有令牌已过期 Every token has expired");
}));
document.getElementById("reset").addEventListener("click", (event) => {
  const button = event.currentTarget;
  if (!window.confirm("恢复到初始数据？群、调用、审批、故障都会清空。\nPut everything back to the seed? Groups, calls, approvals and faults are cleared.")) return;
  attempt(button, async () => {
    await resetAll();
    note("已重置 Back to the seed");
  });
});

connect();
