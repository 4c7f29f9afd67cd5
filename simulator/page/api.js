// The simulator's doors under /_sim/, one function each.

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`/_sim/${path}`, { cache: "no-store", ...options });
  } catch {
    throw new Error(`无法连接模拟器 cannot reach the simulator (${path})`);
  }
  const text = await answer.text();
  let json;
  try {
    json = text === "" ? null : JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (!answer.ok) throw new Error(`${json?.error ?? (text.slice(0, 200) || "no reason given")} (${path}, HTTP ${answer.status})`);
  if (json === undefined) throw new Error(`不是 JSON · the answer is not JSON (${path})`);
  return json;
}

const get = (path) => ask(path);
const post = (path, body = {}) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const getApps = () => get("apps");
export const getUsers = () => get("users");
export const getGroups = () => get("groups");
export const getTemplates = () => get("templates");
export const getApprovals = () => get("approvals");
export const getNotices = () => get("notices");
export const getCalls = (since) => get(since ? `calls?since=${since}` : "calls");
export const getFaults = () => get("faults");

export const sendMessage = (message) => post("messages", message);
export const sendEvent = (event) => post("events", event);
export const startApproval = (approval) => post("approvals", approval);
export const decide = (id, decision) => post(`approvals/${encodeURIComponent(id)}/decide`, decision);
export const withdraw = (id, userid) => post(`approvals/${encodeURIComponent(id)}/terminate`, { userid });
export const setFault = (fault) => post("faults", fault);
export const reset = () => post("reset");
export const expireTokens = () => post("expire-tokens");
