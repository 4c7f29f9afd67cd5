// Tells the reader what went wrong, or shortly what went right.
import { el } from "./dom.js";

const SHOWN_MS = 5000;

/** Shows a line below the bar; errors stay until they are closed. */
export function note(text, kind = "good") {
  const close = el("button", { type: "button", class: "note-close", "aria-label": "关闭 Close", onclick: () => line.remove() }, "×");
  const line = el("div", { class: `note ${kind}` }, el("span", {}, text), close);
  const notes = document.getElementById("notes");
  notes.append(line);
  while (notes.children.length > 4) notes.firstChild.remove();
  if (kind === "good") setTimeout(() => line.remove(), SHOWN_MS);
}

/** Runs an action for a button: the button rests meanwhile, and a failure is shown. Returns whether it worked. */
export async function attempt(button, action) {
  if (button) button.disabled = true;
  try {
    await action();
    return true;
  } catch (error) {
    note(error.message, "bad");
    return false;
  } finally {
    if (button) button.disabled = false;
  }
}
