// The facts of the group on show: ids for scripts, owner, members, robots.
import { el, empty, fill } from "./dom.js";
import { avatar, nameOf, robotAvatar } from "./people.js";
import { appByName, groupById, on, state, userById } from "./store.js";

/** Builds the details column of a group. */
export function mountDetails(root) {
  function draw() {
    const group = groupById(state.group);
    if (!group) {
      fill(root, empty("选择一个群 Choose a group"));
      return;
    }
    // The owner first, as DingTalk lists them.
    const members = [...group.members].sort((a, b) => Number(b === group.owner) - Number(a === group.owner));
    fill(root,
      el("dl", { class: "facts ids" },
        el("dt", {}, "conversationId"), el("dd", {}, el("code", {}, group.isDraft ? "—" : group.id)),
        group.chatid && el("dt", {}, "chatid"), group.chatid && el("dd", {}, el("code", {}, group.chatid))),
      el("h3", {}, `成员 Members (${members.length})`),
      el("ul", { class: "people" }, ...members.map((userid) => el("li", {}, avatar(userid, "small"),
        el("span", { class: "grow" }, nameOf(userid), " ", el("span", { class: "muted small" }, userid)),
        userid === group.owner && el("span", { class: "tag gold" }, "群主 owner"),
        userById(userid)?.admin && el("span", { class: "tag" }, "管理员 admin")))),
      el("h3", {}, `机器人 Robots (${group.robots.length})`),
      group.robots.length === 0 ? empty("没有机器人 No robots") : el("ul", { class: "people" }, ...group.robots.map(robotRow)));
  }
  for (const topic of ["loaded", "group", "select"]) on(topic, draw);
}

function robotRow(name) {
  const app = appByName(name);
  return el("li", {}, robotAvatar("small"),
    el("span", { class: "grow" }, name, el("span", { class: "muted small wrap" }, app?.robotUrl ?? "")),
    el("span", { class: "tag" }, "机器人 robot"));
}
