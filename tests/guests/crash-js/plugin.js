// A plugin that throws when it is handed an event, and does not catch it.

/** @type {import("belfry:bot/handler@0.1.0").Handler} */
export const handler = {
  describe() {
    return { name: "crash-js", version: "0.1.0", subscriptions: [], commands: [], configSchema: null };
  },

  handle() {
    throw new TypeError("on purpose");
  },
};
