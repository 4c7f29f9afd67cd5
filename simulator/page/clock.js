// Times as people read them.

const two = (number) => String(number).padStart(2, "0");

/** `14:05`, with the day in front when it is not today's. */
export function shortTime(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "";
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const today = date.toDateString() === new Date().toDateString();
  return today ? time : `${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** `14:05:09.123`, to put calls and pushes in relation. */
export function exactTime(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "";
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-22 14:05:09`. */
export function fullTime(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "";
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
