// What the page knows, and the live stream that keeps it true.
import * as api from "./api.js";
import { note } from "./notify.js";

// A long load run must not fill the browser's memory; the simulator itself keeps the older ones.
const KEPT_CALLS = 2000;
const RETRY_MS = 2000;

export const state = {
  apps: [], users: [], groups: [], templates: [], approvals: [], notices: [],
  /** API calls and pushes together, oldest first: `{kind: "call"|"push", at, …}`. */
  traffic: [],
  /** "connecting", "live" or "lost". */
  live: "connecting",
  /** The id of the group on show, and the person the box writes as. */
  group: null,
  writer: null,
};

const listeners = new Map();
/** When each known call was made, by its number. */
let knownCalls = new Map();
// Updates that arrive while the state is being read wait here, or an older answer would undo them.
let held = null;

/** Calls `hear(detail)` for a topic: loaded, live, message, group, approval, notice, traffic, select, writer. */
export function on(topic, hear) {
  listeners.set(topic, [...(listeners.get(topic) ?? []), hear]);
}

function tell(topic, detail) {
  for (const hear of listeners.get(topic) ?? []) hear(detail);
}

/** Shows another group. */
export function selectGroup(id) {
  state.group = id;
  tell("select", id);
}

/** Shows the chat of a person with an app's robot; the simulator makes it with the first message. */
export function openSingle(app, userid) {
  const known = state.groups.find((group) => isSingle(group, app, userid));
  if (known) {
    selectGroup(known.id);
    return;
  }
  const draft = {
    id: `draft ${app} ${userid}`, chatid: "", kind: "single", name: app, owner: userid,
    members: [userid], robots: [app], disbanded: false, messages: [], isDraft: true,
  };
  state.groups.push(draft);
  tell("group", draft);
  selectGroup(draft.id);
}

const isSingle = (group, app, userid) => group.kind === "single" && group.robots.includes(app) && group.members.includes(userid);

/** Writes as another person from now on. */
export function selectWriter(userid) {
  state.writer = userid;
  tell("writer", userid);
}

/** Fetches everything again; what the page showed before is replaced. */
export async function reload() {
  held ??= [];
  try {
    await readAll();
  } finally {
    const waiting = held ?? [];
    held = null;
    for (const take of waiting) take();
  }
}

async function readAll() {
  const [apps, users, groups, templates, approvals, notices, calls] = await Promise.all([
    api.getApps(), api.getUsers(), api.getGroups(), api.getTemplates(),
    api.getApprovals(), api.getNotices(), api.getCalls(),
  ]);
  Object.assign(state, { apps, users, groups, templates, approvals, notices });
  state.traffic = [...calls.slice(-KEPT_CALLS).map(asCall), ...state.traffic.filter((entry) => entry.kind === "push")]
    .sort((a, b) => a.at - b.at);
  knownCalls = new Map(calls.map((call) => [call.seq, call.at]));
  tell("loaded");
}

/** Puts the simulator back to its seed and shows that. */
export async function resetAll() {
  await api.reset();
  state.traffic = [];
  await reload();
}

/** Opens the live stream; on every (re)connection the whole state is read again, since events may have been missed. */
export function connect() {
  const stream = new EventSource("/_sim/updates");
  const hear = (name, take) => stream.addEventListener(name, (event) => {
    const apply = () => {
      try {
        take(JSON.parse(event.data));
      } catch (error) {
        note(`实时消息有误 bad live update "${name}": ${error.message}`, "bad");
      }
    };
    if (held) held.push(apply);
    else apply();
  });
  stream.addEventListener("open", () => {
    reload().then(() => setLive("live"), (error) => {
      note(error.message, "bad");
      setLive("lost");
    });
  });
  stream.addEventListener("error", () => {
    setLive("lost");
    // The browser gives up for good after some answers (a proxy's error page, say); begin anew then.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
  hear("call", (call) => takeTraffic(asCall(call)));
  hear("push", (push) => takeTraffic({ kind: "push", ...push }));
  hear("message", takeMessage);
  hear("group", takeGroup);
  hear("approval", (approval) => {
    upsert(state.approvals, approval, "id");
    tell("approval", approval);
  });
  hear("notice", (notice) => {
    upsert(state.notices, notice, "taskId");
    tell("notice", notice);
  });
  hear("reset", startAnew);
}

function startAnew() {
  state.traffic = [];
  reload().catch((error) => note(error.message, "bad"));
}

function setLive(live) {
  state.live = live;
  tell("live", live);
}

function asCall(call) {
  return { kind: "call", ...call };
}

function takeTraffic(entry) {
  if (entry.kind === "call") {
    const before = knownCalls.get(entry.seq);
    if (before === entry.at) return;
    if (before !== undefined) {
      // The numbers began anew: somebody else put the simulator back to its seed.
      startAnew();
      return;
    }
    knownCalls.set(entry.seq, entry.at);
  }
  state.traffic.push(entry);
  if (state.traffic.length > KEPT_CALLS * 1.2) state.traffic.splice(0, state.traffic.length - KEPT_CALLS);
  tell("traffic", entry);
}

function takeMessage({ group: id, message }) {
  const group = groupById(id);
  if (!group) {
    reload().catch((error) => note(error.message, "bad"));
    return;
  }
  if (group.messages.some((old) => old.id === message.id)) return;
  group.messages.push(message);
  tell("message", { group, message });
}

function takeGroup(given) {
  const old = groupById(given.id);
  const draft = state.groups.find((group) => group.isDraft && isSingle(given, group.robots[0], group.owner));
  if (draft) {
    state.groups.splice(state.groups.indexOf(draft), 1);
    if (state.group === draft.id) state.group = given.id;
  }
  // An update about members need not carry the messages.
  upsert(state.groups, { ...given, messages: given.messages ?? old?.messages ?? [] }, "id");
  tell("group", groupById(given.id));
  if (draft) selectGroup(state.group);
  // Apps may be set while the simulator runs; a robot that is new here says so.
  if (given.robots.some((name) => !appByName(name))) reload().catch((error) => note(error.message, "bad"));
}

function upsert(list, item, key) {
  const at = list.findIndex((old) => old[key] === item[key]);
  if (at < 0) list.push(item);
  else list[at] = item;
}

export const groupById = (id) => state.groups.find((group) => group.id === id);
export const userById = (id) => state.users.find((user) => user.userid === id);
export const appByName = (name) => state.apps.find((app) => app.name === name);
export const templateByCode = (code) => state.templates.find((template) => template.processCode === code);
