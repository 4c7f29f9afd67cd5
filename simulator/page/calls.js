// The live list of every API call, and of every push to an app, newest first.
import { el, fill, oncePerFrame } from "./dom.js";
import { exactTime } from "./clock.js";
import { outcomeWords } from "./pushes.js";
import { on, state } from "./store.js";

const SHOWN = 300;

/** Builds the list with its filter and its pause button. */
export function mountCalls(root) {
  const filter = el("input", { type: "search", id: "filter", placeholder: "过滤 Filter: path, 88, alice…", "aria-label": "过滤调用 Filter calls" });
  const pause = el("button", { type: "button", class: "quiet", "aria-pressed": "false" }, "暂停 Pause");
  const clear = el("button", { type: "button", class: "quiet" }, "清屏 Clear");
  const count = el("p", { class: "muted small calls-count", role: "status" });
  const pushes = el("input", { type: "checkbox" });
  pushes.checked = true;
  const list = el("ol", { class: "calls" });
  root.append(el("div", { class: "calls-tools" }, filter, pause, clear),
    el("div", { class: "calls-line" }, count, el("label", { class: "check" }, pushes, "含推送 Pushes too")), list);

  let paused = false;
  let clearedAt = null;
  let fresh = [];
  let missed = 0;

  const wanted = (entry) => (pushes.checked || entry.kind === "call") && (clearedAt === null || !clearedAt.has(entry)) && matches(entry, filter.value);

  function drawAll() {
    fresh = [];
    missed = 0;
    const entries = state.traffic.filter(wanted);
    fill(list, ...entries.slice(-SHOWN).reverse().map(row));
    say(entries.length);
  }

  const drawSoon = oncePerFrame(() => {
    if (paused) {
      say(list.children.length);
      return;
    }
    const rows = fresh.filter(wanted).slice(-SHOWN).reverse().map(row);
    fresh = [];
    list.prepend(...rows);
    while (list.children.length > SHOWN) list.lastChild.remove();
    say(state.traffic.filter(wanted).length);
  });

  function say(number) {
    const cut = number > SHOWN ? ` · 显示最近 showing the last ${SHOWN}` : "";
    const waiting = missed > 0 ? ` · 暂停中，新增 ${missed} new while paused` : paused ? " · 已暂停 paused" : "";
    fill(count, `${number} 条 entries${cut}${waiting}`);
  }

  on("loaded", () => { if (!paused) drawAll(); });
  on("traffic", (entry) => {
    if (paused) missed += 1;
    else fresh.push(entry);
    // A page in the background draws no frames; what would scroll away unseen need not wait for them.
    if (fresh.length > 2 * SHOWN) fresh = fresh.slice(-SHOWN);
    drawSoon();
  });
  filter.addEventListener("input", drawAll);
  pushes.addEventListener("change", drawAll);
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    fill(pause, paused ? "继续 Resume" : "暂停 Pause");
    if (paused) say(list.children.length);
    else drawAll();
  });
  clear.addEventListener("click", () => {
    clearedAt = new WeakSet(state.traffic);
    drawAll();
  });
}

/** Every word of the filter must be somewhere in the entry, its bodies included. */
function matches(entry, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = JSON.stringify(entry).toLowerCase();
  return words.every((word) => text.includes(word));
}

function row(entry) {
  const detail = el("div", { class: "call-detail", hidden: true });
  const head = el("button", { type: "button", class: "call-head", "aria-expanded": "false" }, ...(entry.kind === "push" ? pushWords(entry) : callWords(entry)));
  head.addEventListener("click", () => {
    detail.hidden = !detail.hidden;
    head.setAttribute("aria-expanded", String(!detail.hidden));
    if (!detail.hidden) fill(detail, ...(entry.kind === "push" ? [block("推送 Push", without(entry, "kind"))] : callDetail(entry)));
  });
  return el("li", { class: entry.kind }, head, detail);
}

function callWords(call) {
  const errcode = call.response?.errcode;
  const refused = errcode !== undefined && errcode !== 0;
  const reason = refused ? `errcode ${errcode}${call.response.sub_code ? `/${call.response.sub_code}` : ""}` : call.status >= 400 ? call.response?.code : null;
  return [
    el("span", { class: "call-top" },
      el("span", { class: "method" }, call.method),
      path(call.path),
      el("span", { class: `pill ${call.status >= 400 || refused || !call.status ? "red" : "green"}` }, call.status ? call.status : "断开 dropped")),
    el("span", { class: "call-bottom" },
      el("time", {}, exactTime(call.at)),
      reason && el("span", { class: "bad" }, reason),
      call.fault && el("span", { class: "pill amber" }, `故障 fault: ${call.fault}`),
      call.ms !== undefined && call.ms !== null && el("span", {}, `${call.ms} ms`),
      el("span", { class: "call-gist" }, gist(call))),
  ];
}

function pushWords(push) {
  return [
    el("span", { class: "call-top" },
      el("span", { class: "method push-mark" }, "推送 PUSH"),
      el("span", { class: "path" }, `${push.app} ← ${push.eventType}`),
      el("span", { class: `pill ${push.success ? "green" : "red"}` }, push.status || "✗")),
    el("span", { class: "call-bottom" },
      el("time", {}, exactTime(push.at)),
      el("span", {}, `第 ${push.attempt} 次 attempt`),
      el("span", { class: push.success ? "good" : "bad" }, outcomeWords(push))),
  ];
}

/** A long path gives up its beginning first: what is called stands at its end. */
function path(whole) {
  const cut = whole.lastIndexOf("/");
  return el("span", { class: "path", title: whole }, el("span", { class: "path-start" }, whole.slice(0, cut)), el("span", {}, whole.slice(cut)));
}

/** The words that tell one call from the next: where it goes. */
function gist(call) {
  const body = call.body && typeof call.body === "object" ? call.body : {};
  return body.chatid ?? body.openConversationId ?? body.userid_list ?? body.process_code ?? body.process_instance_id ?? body.name ?? "";
}

function callDetail(call) {
  return [
    Object.keys(call.query ?? {}).length > 0 && block("参数 Query", call.query),
    call.body !== null && call.body !== undefined && block("请求 Request", call.body),
    block("应答 Response", call.response),
  ].filter(Boolean);
}

function block(title, value) {
  return el("section", {}, el("h4", {}, title), el("pre", { class: "json", tabindex: "0" }, typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}

function without(object, key) {
  const { [key]: _gone, ...rest } = object;
  return rest;
}
