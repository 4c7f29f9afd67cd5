// Sends any event to an app, well made or broken on purpose, and shows what the app answered.
import { sendEvent } from "./api.js";
import { choices, el, empty, field, fill, refill } from "./dom.js";
import { exactTime } from "./clock.js";
import { attempt } from "./notify.js";
import { attemptLines } from "./pushes.js";
import { appByName, on, state } from "./store.js";

const SAMPLES = {
  check_url: () => ({ EventType: "check_url" }),
  user_add_org: (corpId) => ({ EventType: "user_add_org", TimeStamp: String(Date.now()), UserId: ["alice"], CorpId: corpId }),
  chat_add_member: (corpId) => ({ EventType: "chat_add_member", TimeStamp: String(Date.now()), ChatId: "chatoncall", Operator: "manager", UserId: ["bob"], CorpId: corpId }),
  bpms_instance_change: (corpId) => ({
    EventType: "bpms_instance_change", corpId, processInstanceId: "sample-instance", processCode: "PROC-LEAVE", businessId: "202611220001",
    title: "Alice 提交的请假", type: "finish", result: "agree", staffId: "alice", createTime: Date.now() - 60_000, finishTime: Date.now(),
  }),
  bpms_task_change: (corpId) => ({
    EventType: "bpms_task_change", corpId, processInstanceId: "sample-instance", processCode: "PROC-LEAVE",
    title: "Alice 提交的请假", type: "start", staffId: "manager", taskId: 1, createTime: Date.now(),
  }),
};

const TAMPERS = [
  ["", "不破坏 none"], ["signature", "签名 signature"], ["key", "密钥 key"], ["receive-id", "接收者 receive-id"], ["base64", "base64"],
  ["padding", "填充 padding"], ["length", "长度 length"], ["not-json", "不是 JSON not-json"],
];

/** Builds the tab. */
export function mountEvents(root) {
  const app = el("select");
  const address = el("p", { class: "muted small wrap" });
  const sample = el("select", { onchange: () => fillSample() }, choices(Object.keys(SAMPLES).map((name) => [name, name])));
  const text = el("textarea", { rows: "14", class: "code", spellcheck: "false" });
  const attempts = el("select", {}, choices([["1", "1"], ["2", "2"], ["3", "3"]]));
  const tamper = el("select", {}, choices(TAMPERS));
  const button = el("button", { type: "submit", class: "primary" }, "发送 Send");
  const results = el("div", { class: "cards", "aria-live": "polite" }, empty("还没有发送 Nothing sent yet"));
  const form = el("form", {}, el("h2", {}, "推送事件 Push an event"),
    field("应用 App", app), address, field("样例 Sample", sample), field("事件 JSON Event", text),
    el("div", { class: "row" }, field("最多次数 Attempts", attempts), field("破坏 Tamper", tamper)), button);
  root.append(el("section", { class: "pane side-form broad" }, form),
    el("section", { class: "pane grow" }, el("header", { class: "pane-head" }, el("h2", {}, "结果 Outcomes")), results));

  function fillSample() {
    text.value = JSON.stringify(SAMPLES[sample.value](appByName(app.value)?.corpId ?? ""), null, 2);
  }
  function showAddress() {
    fill(address, appByName(app.value)?.callbackUrl || "没有回调地址 no callback address");
  }
  app.addEventListener("change", showAddress);
  on("loaded", () => {
    refill(app, state.apps.map((entry) => [entry.name, entry.name]));
    showAddress();
    if (text.value === "") fillSample();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(button, async () => {
      const push = { app: app.value, event: parse(text.value), attempts: Number(attempts.value) };
      if (tamper.value) push.tamper = tamper.value;
      const sentAt = Date.now();
      const report = await sendEvent(push);
      results.querySelector(".empty")?.remove();
      results.prepend(outcome(push, report, sentAt));
    });
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`事件不是 JSON · the event is not JSON: ${error.message}`);
  }
}

function outcome(push, report, sentAt) {
  const tries = attemptLines(report);
  return el("article", { class: "outcome-card" },
    el("header", {}, el("strong", { class: "grow" }, `${push.app} ← ${push.event?.EventType ?? "?"}`),
      el("time", { class: "muted small" }, exactTime(sentAt)),
      el("span", { class: `pill ${report.delivered ? "green" : "red"}` }, report.delivered ? "已送达 Delivered" : "未送达 Not delivered")),
    push.tamper && el("div", { class: "muted small" }, `破坏 tampered: ${push.tamper}`),
    tries.length === 0 ? empty("没有尝试 No attempts") : el("ol", { class: "attempts" }, ...tries.map(({ attempt: { success }, words }) => el("li", { class: success ? "good" : "bad" }, words))));
}
