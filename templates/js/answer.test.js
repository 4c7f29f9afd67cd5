import assert from "node:assert/strict";
import test from "node:test";

import { answer } from "./answer.js";

test("the command is answered and nothing else", () => {
  assert.equal(answer("/{{name}}", "Alice"), "Hello, Alice!");
  assert.equal(answer("good morning", "Alice"), null);
});
