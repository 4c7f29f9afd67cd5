// Reads and says the count; knows nothing of belfry.

const LARGEST = 2 ** 32 - 1;

/** The number after the one that is stored; what is no number of 32 bits counts as 0. */
export function following(stored: Uint8Array | null): number {
  const text = String.fromCharCode(...(stored ?? []).slice(0, 11));
  const number = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  return Math.min(number > LARGEST ? 1 : number + 1, LARGEST);
}

/** A number as `kv` keeps it. */
export function stored(number: number): Uint8Array {
  return Uint8Array.from(String(number), (digit) => digit.charCodeAt(0));
}

export function greeting(nick: string, number: number): string {
  return `hello, ${nick}, number ${number}`;
}
