import assert from "node:assert/strict";
import test from "node:test";

import { following, greeting, stored } from "./counting.js";

test("it goes on from what is stored", () => {
  const bytes = (text) => new TextEncoder().encode(text);
  assert.equal(following(null), 1);
  for (const [text, expected] of [
    ["", 1],
    ["1", 2],
    ["41", 42],
    ["many", 1],
    ["-1", 1],
    ["1e3", 1],
    ["٣", 1],
    ["4294967295", 4294967295],
    ["4294967296", 1],
    ["9".repeat(10_000), 1],
  ]) {
    assert.equal(following(bytes(text)), expected, text.slice(0, 20));
  }
  assert.equal(following(stored(7)), 8);
});

test("the greeting names person and number", () => {
  assert.equal(greeting("张三", 3), "hello, 张三, number 3");
});
