// What belfry calls.

import type { ChatMessage } from "belfry:bot/event@0.1.0";
import type { Handler } from "belfry:bot/handler@0.1.0";
import { reply } from "belfry:bot/robot@0.1.0";

import { answer } from "./answer.js";
import { failureOf } from "./failure.js";

export const handler: Handler = {
  /** Says what the plugin is. Runs when it is loaded. */
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      subscriptions: ["chat-message"],
      commands: [{ name: "/{{name}}", usage: "/{{name}}: says hello" }],
      configSchema: null,
    };
  },

  /** Handles one event, each in a fresh instance. */
  handle(event) {
    try {
      if (event.body.tag === "chat-message") {
        handleMessage(event.body.val);
      }
    } catch (error) {
      throw failureOf(error);
    }
  },
};

function handleMessage(message: ChatMessage): void {
  const text = answer(message.text, message.senderNick);
  if (text !== null) {
    const nobody = { userIds: [], mobiles: [], all: false };
    reply({ tag: "text", val: text }, nobody);
  }
}
