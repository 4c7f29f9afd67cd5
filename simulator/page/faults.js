// The faults: what the simulator is to do wrong, and how many times more.
import { getFaults, setFault } from "./api.js";
import { choices, el, empty, field, fill } from "./dom.js";
import { attempt, note } from "./notify.js";
import { on } from "./store.js";

const PATHS = [
  "*", "push", "stream", "/gettoken", "/v1.0/oauth2/accessToken", "/chat/create", "/chat/get", "/chat/update", "/chat/send",
  "/topapi/message/corpconversation/asyncsend_v2", "/topapi/processinstance/create", "/topapi/processinstance/get",
  "/topapi/processinstance/listids", "/topapi/process/instance/terminate", "/robot/sendBySession", "/v1.0/robot/groupMessages/send",
];

/** Every kind: its words, whether it needs a value (with a first guess), and where it makes sense. */
const KINDS = {
  errcode: { words: "errcode 错误码", value: "88", number: true },
  status: { words: "HTTP status 状态码", value: "503", number: true },
  delay_ms: { words: "延迟 delay (ms)", value: "3000", number: true, after: true },
  html: { words: "返回网页 HTML answer" },
  drop: { words: "断开连接 drop the answer", after: true },
  duplicate: { words: "推送重复 duplicate push", only: "push" },
  reorder: { words: "推送乱序 reorder pushes", only: "push" },
  disconnect: { words: "断开 Stream disconnect", only: "stream" },
};

/** Builds the tab and returns a function that reads the active faults again. */
export function mountFaults(root, isShown) {
  const list = el("ul", { class: "fault-list", "aria-live": "polite" });
  root.append(
    el("section", { class: "pane side-form" }, faultForm(() => refresh())),
    el("section", { class: "pane grow" },
      el("header", { class: "pane-head" }, el("h2", {}, "生效中 Active faults"), el("button", { type: "button", class: "quiet", onclick: (event) => attempt(event.currentTarget, refresh) }, "刷新 Refresh")), list));

  async function refresh() {
    const faults = await getFaults();
    fill(list, ...faults.map((fault) => row(fault, refresh)));
    if (faults.length === 0) fill(list, el("li", {}, empty("没有故障，一切正常 No faults: everything works")));
  }

  const quietly = () => refresh().catch((error) => note(error.message, "bad"));
  let due = false;
  // Each call may use a fault up; reading the list once for many calls is enough.
  on("traffic", () => {
    if (due || !isShown()) return;
    due = true;
    setTimeout(() => { due = false; quietly(); }, 300);
  });
  on("loaded", quietly);
  return quietly;
}

function faultForm(done) {
  const path = el("input", { type: "text", list: "fault-paths", value: "/chat/send", required: true, spellcheck: "false" });
  const kind = el("select", { onchange: suit }, choices(Object.entries(KINDS).map(([name, { words }]) => [name, words])));
  const value = el("input", { type: "number", value: "88", min: "0" });
  const valueField = field("值 Value", value);
  const times = el("input", { type: "number", value: "1", min: "1", required: true });
  const text = el("input", { type: "text", placeholder: "errmsg" });
  const sub = el("input", { type: "text", placeholder: "40014" });
  const errorFields = el("div", {}, field("errmsg（可不填 optional）", text), field("sub_code（可不填 optional）", sub));
  const before = el("input", { type: "checkbox" });
  const beforeField = el("label", { class: "check" }, before, "在生效之前 before it takes effect");
  const button = el("button", { type: "submit", class: "primary" }, "设置 Set");
  const form = el("form", {}, el("h2", {}, "设置故障 Set a fault"),
    field("路径 Path（* = 全部 all）", path), el("datalist", { id: "fault-paths" }, choices(PATHS.map((entry) => [entry, ""]))),
    field("种类 Kind", kind), valueField, errorFields, field("次数 Times", times), beforeField, button);

  function suit() {
    const { value: guess, only, after } = KINDS[kind.value];
    valueField.hidden = guess === undefined;
    if (guess !== undefined) value.value = guess;
    errorFields.hidden = kind.value !== "errcode";
    beforeField.hidden = !after;
    if (only) path.value = only;
    // Only a delay and a lost answer make sense everywhere.
    else if (!after && ["push", "stream"].includes(path.value)) path.value = "/chat/send";
  }
  suit();

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(button, async () => {
      const { number, after } = KINDS[kind.value];
      const fault = { path: path.value.trim(), times: Number(times.value), [kind.value]: number ? Number(value.value) : true };
      if (kind.value === "errcode" && text.value) fault.errmsg = text.value;
      if (kind.value === "errcode" && sub.value) fault.sub_code = sub.value;
      if (after && before.checked) fault.before = true;
      await setFault(fault);
      await done();
    });
  });
  return form;
}

function row(fault, done) {
  const { path, times, ...rest } = fault;
  const facts = Object.entries(rest).filter(([, value]) => value !== null && value !== false && value !== undefined);
  return el("li", { class: "fault" },
    el("div", { class: "grow" }, el("code", { class: "fault-path" }, path),
      el("div", {}, ...facts.map(([key, value]) => el("span", { class: "pill amber" }, value === true ? key : `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`)),
        el("span", { class: "muted" }, ` 还有 ${times} 次 times left`))),
    el("button", {
      type: "button", class: "quiet danger", "aria-label": `取消 ${path} 的故障 Remove the faults of ${path}`,
      onclick: (event) => attempt(event.currentTarget, async () => {
        await setFault({ path, times: 0 });
        await done();
      }),
    }, "取消 Remove"));
}
