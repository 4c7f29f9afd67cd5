/** What to answer, if anything. */
export function answer(text: string, nick: string): string | null {
  return text.trim() === "/{{name}}" ? `Hello, ${nick}!` : null;
}
