// How people, robots and groups look: their names and coloured initials.
import { el, icon } from "./dom.js";
import { userById } from "./store.js";

// Every colour carries white text with a contrast of at least 4.5 to 1.
const COLOURS = ["#006fd6", "#0b7a5c", "#b3541e", "#7a4fc9", "#b83a5e", "#2f6f8f", "#8a6100", "#5a6b1f", "#a0409a", "#4b5cc4"];

/** The name people see; the id itself for somebody unknown. */
export const nameOf = (userid) => userById(userid)?.name ?? userid;

/** The name with its id, for choosing: Chinese names alone do not tell what a script must send. */
export const nameAndId = (userid) => (nameOf(userid) === userid ? userid : `${nameOf(userid)} (${userid})`);

/** A person's picture. */
export function avatar(userid, size = "") {
  const name = nameOf(userid);
  return badge(initials(name), userById(userid)?.avatarColor ?? colourOf(userid), `avatar ${size}`);
}

/** The picture of an app or its robot. */
export function robotAvatar(size = "") {
  return badge(icon("robot"), "#3d4f6b", `avatar robot ${size}`);
}

/** A group's title; of a single chat both sides, since all those with one robot have the same title. */
export function groupName(group) {
  if (group.kind === "single") return `${group.robots.join(" ")} · ${group.members.map(nameOf).join(" ")}`;
  return group.name || group.id;
}

/** The picture of a group: a square, unlike people's. */
export function groupAvatar(group) {
  if (group.kind === "single") return badge(icon("robot"), "#3d4f6b", "avatar group robot");
  return badge(initials(group.name || group.id, 0), colourOf(group.id), "avatar group");
}

/** `[value, text]` pairs of people, for a select. */
export const peopleChoices = (userids) => userids.map((userid) => [userid, nameAndId(userid)]);

function badge(content, colour, classes) {
  return el("span", { class: classes, vars: { "--colour": colour, "--on-colour": inkOn(colour) }, "aria-hidden": "true" }, content);
}

/** Dark words on a light colour, white ones on any other. */
function inkOn(colour) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!hex) return "#fff";
  const [red, green, blue] = hex.slice(1).map((part) => {
    const share = Number.parseInt(part, 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  // Where black and white have the same contrast, by the formula of WCAG 2.
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.19 ? "#171a1d" : "#fff";
}

function colourOf(id) {
  let sum = 0;
  for (const letter of String(id)) sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  return COLOURS[sum % COLOURS.length];
}

/** DingTalk shows the last two characters of a person's Chinese name, the first two of a group's; of a Latin one the first letters of two words. */
function initials(name, from = -2) {
  const text = String(name).trim();
  const chinese = text.match(/\p{Script=Han}/gu);
  if (chinese) return chinese.slice(0, 3).slice(from).slice(0, 2).join("");
  return text.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((word) => [...word][0].toUpperCase()).join("") || "?";
}
