// Renders the part of Markdown that DingTalk shows: headings, quotes, bold, italic, links, images, lists.
// Tables, code blocks and HTML stay the characters they are, as they do there.
import { el, link, webAddress } from "./dom.js";

const MAX_DEPTH = 6;

/** Turns Markdown into nodes. `words` turns a piece of plain text into nodes (to highlight mentions). */
export function renderMarkdown(text, words = (plain) => [plain]) {
  const root = el("div", { class: "markdown" });
  root.append(...blocks(String(text).replace(/\r\n?/g, "\n").split("\n"), words, 0));
  return root;
}

function blocks(lines, words, depth) {
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^ {0,3}(#{1,6})\s+(.*)$/.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (heading) {
      nodes.push(el(`h${heading[1].length}`, {}, ...inline(heading[2].replace(/\s#+\s*$/, "").trim(), words, 0)));
      at += 1;
    } else if (isQuote(line) && depth < MAX_DEPTH) {
      const [inner, next] = takeWhile(lines, at, isQuote);
      nodes.push(el("blockquote", {}, ...blocks(inner.map((quoted) => quoted.replace(/^ {0,3}> ?/, "")), words, depth + 1)));
      at = next;
    } else if (listItem(line) && depth < MAX_DEPTH) {
      const [node, next] = list(lines, at, words, depth);
      nodes.push(node);
      at = next;
    } else {
      const [inner, next] = takeWhile(lines, at, isPlain, true);
      nodes.push(el("p", {}, ...paragraph(inner, words)));
      at = next;
    }
  }
  return nodes;
}

const isQuote = (line) => /^ {0,3}>/.test(line);
const isPlain = (line) => line.trim() !== "" && !isQuote(line) && !listItem(line) && !/^ {0,3}#{1,6}\s/.test(line);

function listItem(line) {
  const found = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/.exec(line);
  return found && { indent: found[1].length, number: found[2], text: found[3] };
}

/** One list: its items with the deeper lines that belong to each. */
function list(lines, start, words, depth) {
  const first = listItem(lines[start]);
  const node = el(first.number ? "ol" : "ul", first.number ? { start: first.number } : {});
  let at = start;
  while (at < lines.length) {
    const item = listItem(lines[at]);
    if (!item || item.indent > first.indent + 1 || Boolean(item.number) !== Boolean(first.number)) break;
    const [deeper, next] = takeWhile(lines, at + 1, (line) => /^\s{2,}\S/.test(line) && indentOf(line) > first.indent + 1);
    const trimmed = deeper.map((line) => line.slice(Math.min(indentOf(line), first.indent + 2)));
    node.append(el("li", {}, ...inline(item.text.trimEnd(), words, 0), ...blocks(trimmed, words, depth + 1)));
    at = next;
  }
  return [node, at];
}

const indentOf = (line) => line.length - line.trimStart().length;

function takeWhile(lines, start, fits, always = false) {
  let end = always ? start + 1 : start;
  while (end < lines.length && fits(lines[end])) end += 1;
  return [lines.slice(start, end), end];
}

/** DingTalk breaks a line only after two spaces; a bare newline joins the lines. */
function paragraph(lines, words) {
  const nodes = [];
  lines.forEach((line, at) => {
    nodes.push(...inline(line.trim(), words, 0));
    if (at + 1 < lines.length) nodes.push(/ {2,}$/.test(line) ? el("br") : " ");
  });
  return nodes;
}

/** Bold, italic, links and images inside one line. */
function inline(text, words, depth) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(...words(plain));
    plain = "";
  };
  let at = 0;
  while (at < text.length) {
    const found = depth < MAX_DEPTH ? mark(text, at) : null;
    if (!found) {
      const escaped = text[at] === "\\" && /[\\*_[\]()#>!+.-]/.test(text[at + 1] ?? "");
      plain += escaped ? text[at + 1] : text[at];
      at += escaped ? 2 : 1;
      continue;
    }
    flush();
    nodes.push(found.build((inner) => inline(inner, words, depth + 1)));
    at = found.end;
  }
  flush();
  return nodes;
}

/** The mark that begins here, if it is complete: where it ends and how to build its node. */
function mark(text, at) {
  const sticky = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  let found;
  switch (text[at]) {
    case "!":
      found = sticky(/!\[([^\]\n]{0,200})\]\(\s*([^()\s]{1,2000})\s*\)/y);
      return found && { end: at + found[0].length, build: () => picture(found[2], found[1]) };
    case "[":
      found = sticky(/\[([^\]\n]{1,500})\]\(\s*([^()\s]{1,2000}(?:\([^()\s]{0,200}\)[^()\s]{0,500})?)\s*\)/y);
      return found && { end: at + found[0].length, build: (inner) => link(found[2], {}, ...inner(found[1])) };
    case "*":
      found = sticky(/\*\*(?=\S)([^\n]{0,1000}?\S)\*\*(?!\*)/y);
      if (found) return { end: at + found[0].length, build: (inner) => el("strong", {}, ...inner(found[1])) };
      found = sticky(/\*(?=[^\s*])([^*\n]{0,2000}?[^\s*])\*(?!\*)/y);
      return found && { end: at + found[0].length, build: (inner) => el("em", {}, ...inner(found[1])) };
    case "_":
      // An underscore inside a word (chat_id) is no mark.
      if (/\w/.test(text[at - 1] ?? "")) return null;
      found = sticky(/__(?=\S)([^\n]{0,2000}?\S)__(?!\w)/y);
      if (found) return { end: at + found[0].length, build: (inner) => el("strong", {}, ...inner(found[1])) };
      found = sticky(/_(?=[^\s_])([^_\n]{0,2000}?[^\s_])_(?!\w)/y);
      return found && { end: at + found[0].length, build: (inner) => el("em", {}, ...inner(found[1])) };
    default:
      return null;
  }
}

/** A picture from the web, or a stand-in with its facts for a media id or a picture that does not load. */
export function picture(address, alt = "") {
  const standIn = () => el("span", { class: "picture-missing", title: address }, alt || "图片 Picture", el("small", {}, address));
  const src = webAddress(address);
  if (!src) return standIn();
  const image = el("img", { src, alt, loading: "lazy", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.replaceWith(standIn()));
  return image;
}
