// Reads and says the count; knows nothing of belfry.

const LARGEST = 2 ** 32 - 1;

/**
 * The number after the one that is stored; what is no number of 32 bits counts as 0.
 * @param {Uint8Array | null} stored
 */
export function following(stored) {
  const text = String.fromCharCode(...(stored ?? []).slice(0, 11));
  const number = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  return Math.min(number > LARGEST ? 1 : number + 1, LARGEST);
}

/**
 * A number as `kv` keeps it.
 * @param {number} number
 */
export function stored(number) {
  return Uint8Array.from(String(number), (digit) => digit.charCodeAt(0));
}

/**
 * @param {string} nick
 * @param {number} number
 */
export function greeting(nick, number) {
  return `hello, ${nick}, number ${number}`;
}
