// The approvals: start one as anybody, decide as the approver whose turn it is, withdraw as the originator.
import { decide, startApproval, withdraw } from "./api.js";
import { choices, el, empty, field, fill, refill } from "./dom.js";
import { fullTime, shortTime } from "./clock.js";
import { attempt } from "./notify.js";
import { avatar, nameAndId, nameOf, peopleChoices } from "./people.js";
import { on, state, templateByCode } from "./store.js";

/** Remarks being typed, by approval and task: a redraw must not lose them. */
const drafts = new Map();

/** Builds the tab. `tellWaiting(count)` hears how many approvals are running. */
export function mountApprovals(root, tellWaiting) {
  const list = el("div", { class: "cards", "aria-live": "polite" });
  const only = el("select", { "aria-label": "状态 State", onchange: drawAll }, choices([["", "全部 All"], ["RUNNING", "审批中 Running"], ["done", "已结束 Ended"]]));
  root.append(
    el("section", { class: "pane side-form", "aria-labelledby": "start-title" }, startForm()),
    el("section", { class: "pane grow" },
      el("header", { class: "pane-head" }, el("h2", {}, "审批单 Approvals"), only), list));

  const fits = (approval) => only.value === "" || (only.value === "RUNNING") === isRunning(approval);

  function drawAll() {
    const rows = state.approvals.filter(fits).sort((a, b) => b.createdAt - a.createdAt);
    fill(list, ...rows.map(card));
    if (rows.length === 0) fill(list, empty("没有审批 No approvals"));
    tellWaiting(state.approvals.filter(isRunning).length);
  }

  on("loaded", drawAll);
  on("approval", (approval) => {
    const old = [...list.children].find((node) => node.dataset.approval === approval.id);
    if (old && fits(approval)) {
      old.replaceWith(card(approval));
      tellWaiting(state.approvals.filter(isRunning).length);
    } else {
      drawAll();
    }
  });
}

const isRunning = (approval) => approval.status === "RUNNING" || approval.status === "NEW";

function startForm() {
  const template = el("select", { onchange: drawFields });
  const originator = el("select");
  const app = el("select");
  const fields = el("div", { class: "form-fields" });
  const button = el("button", { type: "submit", class: "primary" }, "提交 Start");
  const appField = field("应用 App", app);
  const flow = el("p", { class: "muted small" });
  const form = el("form", {}, el("h2", { id: "start-title" }, "发起审批 Start one"),
    field("模板 Template", template), field("发起人 Originator", originator), appField, fields, flow, button);
  let drawn = null;

  function drawFields() {
    drawn = template.value;
    const chosen = templateByCode(drawn);
    fill(fields, ...(chosen?.fields ?? []).map((entry) => field(entry.name, control(entry))));
    fill(flow, chosen ? `审批人 Approvers: ${(chosen.approvers ?? []).map(nameOf).join(" → ") || "—"}` : "");
  }

  on("loaded", () => {
    refill(template, state.templates.map((entry) => [entry.processCode, `${entry.name} (${entry.processCode})`]));
    refill(originator, peopleChoices(state.users.map((user) => user.userid)));
    refill(app, state.apps.map((entry) => [entry.name, entry.name]));
    appField.hidden = state.apps.length < 2;
    button.disabled = state.templates.length === 0;
    if (drawn !== template.value) drawFields();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(button, async () => {
      const given = [...fields.querySelectorAll("[data-field]")].map((input) => ({ name: input.dataset.field, value: input.value }));
      await startApproval({ app: app.value, processCode: template.value, originator: originator.value, fields: given });
      drawFields();
    });
  });
  return form;
}

/** A control that suits the template's component. */
function control({ name, componentType, options }) {
  const common = { "data-field": name };
  if (Array.isArray(options) && options.length > 0) return el("select", common, choices(options.map((option) => [option, option])));
  switch (componentType) {
    case "TextareaField": return el("textarea", { ...common, rows: "3" });
    case "NumberField": case "MoneyField": return el("input", { ...common, type: "number", step: "any" });
    case "DDDateField": return el("input", { ...common, type: "date" });
    default: return el("input", { ...common, type: "text" });
  }
}

function card(approval) {
  const running = isRunning(approval);
  return el("article", { class: "approval", "data-approval": approval.id },
    el("header", {}, avatar(approval.originator),
      el("div", { class: "grow" },
        el("h3", {}, approval.title || approval.processCode),
        el("div", { class: "muted small" }, `${nameAndId(approval.originator)} · ${fullTime(approval.createdAt)} · ${templateByCode(approval.processCode)?.name ?? ""} ${approval.processCode}`)),
      statePill(approval)),
    el("dl", { class: "facts" }, ...(approval.fields ?? []).flatMap(({ name, value }) => [el("dt", {}, name), el("dd", { class: "words" }, value || "—")])),
    el("ol", { class: "tasks" }, ...(approval.tasks ?? []).map((task) => taskRow(approval, task))),
    (approval.comments ?? []).length > 0 && el("ul", { class: "comments" }, ...approval.comments.map(comment)),
    el("footer", {}, el("code", { class: "muted small" }, approval.id), el("span", { class: "grow" }),
      approval.finishedAt && el("span", { class: "muted small" }, `结束 ended ${fullTime(approval.finishedAt)}`),
      running && withdrawButton(approval)));
}

function statePill({ status, result }) {
  if (status === "RUNNING" || status === "NEW") return el("span", { class: "pill amber" }, "审批中 Running");
  if (status === "COMPLETED" && result === "agree") return el("span", { class: "pill green" }, "已同意 Agreed");
  if (status === "COMPLETED" && result === "refuse") return el("span", { class: "pill red" }, "已拒绝 Refused");
  if (status === "TERMINATED" || status === "CANCELED") return el("span", { class: "pill grey" }, "已撤销 Withdrawn");
  return el("span", { class: "pill grey" }, `${status} ${result ?? ""}`);
}

const TASK_WORDS = { agree: "已同意 agreed", refuse: "已拒绝 refused", redirected: "已转交 handed over" };

function taskRow(approval, task) {
  const waiting = task.status === "RUNNING" && isRunning(approval);
  const words = TASK_WORDS[String(task.result).toLowerCase()] ?? (waiting ? "等待处理 waiting" : task.status === "NEW" ? "未到 not yet" : "已取消 cancelled");
  return el("li", { class: waiting ? "waiting" : "" }, avatar(task.userid, "small"),
    el("div", { class: "grow" }, el("div", {}, nameAndId(task.userid), " ", el("span", { class: "muted small" }, words), task.remark && el("span", { class: "remark words" }, task.remark)), waiting && decision(approval, task)));
}

function decision(approval, task) {
  const key = `${approval.id}/${task.taskId}`;
  const remark = el("input", {
    type: "text", placeholder: "意见（可不填） Remark (optional)", "aria-label": `${nameOf(task.userid)} 的意见 remark`,
    value: drafts.get(key) ?? "", oninput: () => drafts.set(key, remark.value),
  });
  const act = (result) => (event) => attempt(event.currentTarget, async () => {
    await decide(approval.id, { userid: task.userid, result, remark: remark.value });
    drafts.delete(key);
  });
  return el("div", { class: "decision" }, remark,
    el("button", { type: "button", class: "agree", onclick: act("agree") }, "同意 Agree"),
    el("button", { type: "button", class: "refuse", onclick: act("refuse") }, "拒绝 Refuse"));
}

function withdrawButton(approval) {
  return el("button", {
    type: "button", class: "quiet", title: `以 as ${nameAndId(approval.originator)}`,
    onclick: (event) => attempt(event.currentTarget, () => withdraw(approval.id, approval.originator)),
  }, "撤销 Withdraw");
}

function comment(entry) {
  if (typeof entry === "string") return el("li", {}, entry);
  const at = entry.at ?? entry.date;
  return el("li", {}, el("strong", {}, nameOf(entry.userid ?? "")), " ", entry.text ?? entry.remark ?? "", " ", at && el("span", { class: "muted small" }, shortTime(at)));
}
