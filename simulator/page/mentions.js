// Finds the @mentions in a message's words and marks them.
import { el } from "./dom.js";
import { nameOf } from "./people.js";

const ALL = ["所有人", "all"];

/**
 * Marks what the message really mentions, for nobody else is told in DingTalk. Returns `{words, rest}`:
 * `words(text)` gives nodes; after it has been used, `rest()` gives the mentions that stood nowhere in the text.
 */
export function mentionMarker(message, robots) {
  const people = (message.mentions ?? []).map((id) => ({ labels: [id, nameOf(id)], shown: nameOf(id) }));
  const wanted = [...people, ...(message.all ? [{ labels: ALL, shown: "所有人" }] : [])];
  if (message.sender?.kind === "user") wanted.push(...robots.map((name) => ({ labels: [name], shown: name, optional: true })));
  const seen = new Set();

  function words(text) {
    const nodes = [];
    let from = 0;
    for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
      const hit = longest(wanted, text, at + 1);
      if (!hit) continue;
      seen.add(hit.entry);
      nodes.push(text.slice(from, at), mention(hit.entry.shown));
      from = at + 1 + hit.length;
    }
    nodes.push(text.slice(from));
    return nodes.filter((node) => node !== "");
  }

  const rest = () => wanted.filter((entry) => !entry.optional && !seen.has(entry)).map((entry) => mention(entry.shown));
  return { words, rest };
}

function longest(wanted, text, at) {
  let best = null;
  for (const entry of wanted) {
    for (const label of entry.labels) {
      if (text.startsWith(label, at) && label.length > (best?.length ?? 0)) best = { entry, length: label.length };
    }
  }
  return best;
}

const mention = (name) => el("span", { class: "mention" }, `@${name}`);
