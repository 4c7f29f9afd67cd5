/**
 * What to answer, if anything.
 * @param {string} text
 * @param {string} nick
 */
export function answer(text, nick) {
  return text.trim() === "/{{name}}" ? `Hello, ${nick}!` : null;
}
