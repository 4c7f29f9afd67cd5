// The list of groups: the last message and how many are unread.
import { el, empty, fill, oncePerFrame, refill } from "./dom.js";
import { previewOf } from "./content.js";
import { shortTime } from "./clock.js";
import { groupAvatar, groupName, nameOf, peopleChoices } from "./people.js";
import { on, openSingle, selectGroup, state } from "./store.js";

/** How many messages of each group have been on show; what was there when the page opened counts as read. */
const read = new Map();

/** Builds the list. `isShown()` says whether the chats are what the reader is looking at. `tellUnread(count)` hears the total. */
export function mountGroups(root, isShown, tellUnread) {
  const list = el("ul", { class: "group-list" });
  root.append(el("h2", { class: "column-title" }, "群聊 Groups"), list, singleForm());

  function draw() {
    for (const group of state.groups) {
      const before = read.get(group.id);
      const onShow = group.id === state.group && isShown();
      // Fewer messages than were read: the simulator was put back to its seed.
      if (before === undefined || onShow || before > group.messages.length) read.set(group.id, group.messages.length);
    }
    const rows = [...state.groups].sort((a, b) => lastAt(b) - lastAt(a));
    if (rows.length === 0) fill(list, el("li", {}, empty("还没有群 No groups yet")));
    else redraw(list, rows);
    tellUnread(state.groups.reduce((sum, group) => sum + unread(group), 0));
  }

  for (const topic of ["loaded", "group", "select"]) on(topic, draw);
  on("message", oncePerFrame(draw));
  return draw;
}

/** Opens the chat of one person with one robot. */
function singleForm() {
  const person = el("select", { "aria-label": "谁 Who" });
  const robot = el("select", { "aria-label": "哪个机器人 Which robot" });
  const button = el("button", { type: "submit", class: "quiet" }, "打开 Open");
  const form = el("form", { class: "single-form" }, el("h3", {}, "与机器人单聊 Chat with a robot"), person, el("div", { class: "row" }, robot, button));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    openSingle(robot.value, person.value);
  });
  on("loaded", () => {
    refill(person, peopleChoices(state.users.map((user) => user.userid)));
    refill(robot, state.apps.map((app) => [app.name, app.name]));
    form.hidden = state.apps.length === 0;
  });
  return form;
}

const unread = (group) => group.messages.length - (read.get(group.id) ?? 0);
const lastAt = (group) => group.messages.at(-1)?.at ?? 0;

/** Draws the rows anew; the keyboard's place in the list survives. */
function redraw(list, rows) {
  const focused = document.activeElement?.dataset?.group;
  fill(list, ...rows.map((group) => el("li", {}, row(group))));
  if (focused) [...list.querySelectorAll("button")].find((button) => button.dataset.group === focused)?.focus();
}

function row(group) {
  const last = group.messages.at(-1);
  const count = unread(group);
  const shown = group.id === state.group;
  return el("button", {
    type: "button", class: `group-row ${shown ? "shown" : ""} ${group.disbanded ? "gone" : ""}`,
    "data-group": group.id, "aria-current": shown ? "true" : null, onclick: () => selectGroup(group.id),
  },
  groupAvatar(group),
  el("span", { class: "group-words" },
    el("span", { class: "group-top" },
      el("span", { class: "group-name" }, groupName(group)),
      el("span", { class: "group-time" }, last ? shortTime(last.at) : "")),
    el("span", { class: "group-top" },
      el("span", { class: "group-last" }, group.disbanded ? "已解散 Disbanded" : last ? `${senderName(last)}: ${last.recalled ? "消息已撤回 Recalled" : previewOf(last.msgtype, last.content)}` : "暂无消息 No messages"),
      count > 0 && el("span", { class: "count", "aria-label": `${count} 条未读 unread` }, count > 99 ? "99+" : count))));
}

const senderName = (message) => message.sender?.name || nameOf(message.sender?.id ?? "");
