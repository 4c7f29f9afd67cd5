// The box to write into a group as any of its members.
import { sendMessage } from "./api.js";
import { setOutcome } from "./chat.js";
import { el, fill, refill } from "./dom.js";
import { peopleChoices } from "./people.js";
import { pushReport } from "./pushes.js";
import { groupById, on, selectWriter, state } from "./store.js";

/** Builds the box below the messages. */
export function mountComposer(root) {
  const writer = el("select", { id: "writer", onchange: () => selectWriter(writer.value) });
  const robot = el("select", { id: "robot", "aria-label": "哪个机器人 Which robot" });
  const mention = el("input", { type: "checkbox", id: "mention" });
  mention.checked = true;
  const text = el("textarea", { id: "text", rows: "3", placeholder: "Enter 发送 send · Shift+Enter 换行 new line", "aria-label": "消息 Message" });
  const button = el("button", { type: "submit", class: "primary" }, "发送 Send");
  const trouble = el("div", { class: "trouble", role: "alert" });
  const form = el("form", { class: "composer" },
    el("div", { class: "composer-tools" },
      el("label", { for: "writer" }, "以 As"), writer,
      el("label", { class: "check", for: "mention" }, mention, "@ 机器人 robot"), robot),
    el("div", { class: "composer-row" }, text, button),
    trouble);
  root.append(form);

  text.addEventListener("input", () => fill(trouble));
  text.addEventListener("keydown", (event) => {
    // While an input method is composing, Enter chooses a word and must not send.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    form.requestSubmit();
  });
  mention.addEventListener("change", () => { robot.disabled = !mention.checked; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.disabled) return;
    const words = text.value.trim();
    if (words === "") return;
    text.value = "";
    text.focus();
    fill(trouble);
    send(words);
  });

  function send(words) {
    const group = groupById(state.group);
    const msgId = newMessageId();
    // The answer comes only after the last attempt, which may be the third after 40 seconds: do not wait for it.
    setOutcome(msgId, () => el("span", { class: "push-note" }, "发送中 sending…"));
    const single = group.kind === "single";
    sendMessage({
      // A robot named in the text is meant, whatever the select says.
      app: group.robots.find((name) => words.includes(`@${name}`)) ?? (robot.value || state.apps[0]?.name),
      conversationId: group.isDraft ? undefined : group.id, senderStaffId: writer.value,
      text: words, msgId, mention: single || (mention.checked && group.robots.length > 0),
    }).then((report) => {
      const asked = single || (mention.checked && group.robots.length > 0);
      setOutcome(msgId, () => (asked ? pushReport(report) : null));
      if (report.msgId && report.msgId !== msgId) setOutcome(report.msgId, () => (asked ? pushReport(report) : null));
    }, (error) => {
      setOutcome(msgId, () => el("span", { class: "push-note bad" }, error.message));
      fill(trouble, `没有发出 Not sent: ${error.message}`);
      if (text.value === "") text.value = words;
    });
  }

  function offer() {
    const group = groupById(state.group);
    const members = group?.members ?? [];
    refill(writer, peopleChoices(members));
    if (members.includes(state.writer)) writer.value = state.writer;
    else if (writer.value) selectWriter(writer.value);
    const robots = group?.robots ?? [];
    refill(robot, robots.map((name) => [name, name]));
    const none = robots.length === 0;
    robot.hidden = robots.length < 2;
    robot.disabled = !mention.checked;
    mention.disabled = none;
    // A single chat always reaches its robot.
    mention.parentElement.hidden = group?.kind === "single";
    mention.parentElement.title = none ? "群里没有机器人 No robot in this group" : "机器人只收到 @ 它的消息 A robot receives only what mentions it";
    const closed = !group || group.disbanded || members.length === 0;
    for (const control of [writer, text, button]) control.disabled = closed;
  }

  for (const topic of ["loaded", "group", "select"]) on(topic, offer);
}

/** Chosen here, so that the push's outcome finds its message before the answer is there. */
function newMessageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `msg${btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_")}==`;
}
