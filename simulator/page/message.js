// Draws one message, in the chat or as a work notice.
import { el, icon, link } from "./dom.js";
import { readContent } from "./content.js";
import { picture, renderMarkdown } from "./markdown.js";

/** The bubble's inside. `words` turns plain text into nodes and so marks the mentions. */
export function drawContent(msgtype, content, words = (text) => [text]) {
  const read = readContent(msgtype, content);
  switch (read.kind) {
    case "text": return el("div", { class: "body words" }, ...words(read.text));
    case "markdown": return el("div", { class: "body" }, renderMarkdown(read.text, words));
    case "rich": return el("div", { class: "body words" }, ...read.parts.flatMap((part) => (part.text === undefined ? [picture(part.picture)] : words(part.text))));
    case "link": return drawLink(read);
    case "card": return drawCard(read, words);
    case "feed": return drawFeed(read);
    case "oa": return drawOa(read);
    case "facts": return drawFacts(read);
    default: return el("div", { class: "body" }, el("span", { class: "muted" }, read.msgtype || "?"), el("pre", { class: "json" }, JSON.stringify(read.json, null, 2)));
  }
}

function drawLink(read) {
  return el("div", { class: "body card link-card" }, link(read.url, { class: "link-card-inside" },
    el("span", { class: "card-title" }, read.title),
    el("span", { class: "link-card-text" }, el("span", {}, read.text), read.picture && el("span", { class: "thumb" }, picture(read.picture, "")))));
}

/** The title of a card stands in the list of groups only. */
function drawCard(read, words) {
  const buttons = read.buttons.map((button) => link(button.url, { class: "card-button" }, button.title));
  return el("div", { class: "body card" },
    el("div", { class: "card-inside" }, renderMarkdown(read.text, words)),
    buttons.length > 0 && el("div", { class: `card-buttons ${read.across ? "across" : ""}` }, ...buttons));
}

function drawFeed(read) {
  return el("div", { class: "body card feed" }, ...read.links.map((entry, at) => link(entry.url, { class: at === 0 ? "feed-first" : "feed-row" },
    at === 0 && entry.picture && picture(entry.picture, ""),
    el("span", { class: "feed-title" }, entry.title),
    at > 0 && entry.picture && el("span", { class: "thumb" }, picture(entry.picture, "")))));
}

function drawOa(read) {
  return el("div", { class: "body card oa", vars: read.colour ? { "--head": read.colour } : {} },
    el("div", { class: "oa-head" }, read.head || "OA"),
    el("div", { class: "card-inside" },
      read.title && el("div", { class: "card-title" }, read.title),
      read.rows.length > 0 && el("dl", { class: "facts" }, ...read.rows.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)])),
      read.number && el("div", { class: "oa-number" }, read.number, " ", el("small", {}, read.unit)),
      read.text && el("div", { class: "words" }, read.text),
      read.picture && picture(read.picture, "")),
    el("div", { class: "oa-foot" },
      read.status && el("span", { class: "pill" }, read.status),
      read.files && el("span", {}, `附件 ${read.files} files`),
      read.author && el("span", {}, read.author),
      read.url && link(read.url, {}, "详情 Details")));
}

function drawFacts(read) {
  const web = /^https?:/.test(read.picture);
  return el("div", { class: "body file" },
    web ? picture(read.picture, read.name) : el("span", { class: "file-icon" }, icon(read.icon)),
    !web && el("div", {}, el("div", { class: "file-name" }, read.name),
      ...read.pairs.map(([key, value]) => el("div", { class: "muted small" }, `${key}: ${value}`))));
}
