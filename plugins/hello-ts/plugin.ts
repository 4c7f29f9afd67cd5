// Greets and counts, in TypeScript. The README of `hello` says what it does.

import { create } from "belfry:bot/approval@0.1.0";
import * as config from "belfry:bot/config@0.1.0";
import type { ChatMessage } from "belfry:bot/event@0.1.0";
import type { Handler } from "belfry:bot/handler@0.1.0";
import * as kv from "belfry:bot/kv@0.1.0";
import { reply } from "belfry:bot/robot@0.1.0";

import { following, greeting, stored } from "./counting.js";
import { failureOf, permanent } from "./failure.js";

export const handler: Handler = {
  describe() {
    return {
      name: "hello-ts",
      version: "0.1.0",
      subscriptions: ["chat-message"],
      commands: [
        { name: "/hello", usage: "/hello: greets and counts" },
        { name: "/hello leave", usage: "/hello leave: asks for an approval" },
      ],
      configSchema: null,
    };
  },

  handle(event) {
    if (event.body.tag !== "chat-message") {
      return;
    }
    const message = event.body.val;
    try {
      if (message.text === "/hello") {
        greet(message);
      } else if (message.text === "/hello leave") {
        askForLeave(message);
      }
    } catch (error) {
      throw failureOf(error);
    }
  },
};

function greet(message: ChatMessage): void {
  // Messages of one conversation come one after another, so nobody counts between these two calls.
  const key = `count/${message.conversationId}`;
  const number = following(kv.get(key));
  kv.set(key, stored(number));
  answer(greeting(message.senderNick, number));
}

function askForLeave(message: ChatMessage): void {
  const processCode = config.get("process");
  if (!processCode) {
    throw permanent("config `process` is missing");
  }
  if (message.senderId === null) {
    answer(`hello, ${message.senderNick}, I do not know your user id`);
    return;
  }
  const instance = create({
    processCode,
    originator: message.senderId,
    deptId: "-1",
    fields: [{ name: "事由", value: "hello" }],
    steps: [],
    cc: [],
  });
  answer(`approval ${instance} is on its way`);
}

function answer(text: string): void {
  reply({ tag: "text", val: text }, { userIds: [], mobiles: [], all: false });
}
