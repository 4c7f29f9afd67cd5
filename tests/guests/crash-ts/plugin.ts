// A plugin that throws when it is handed an event, and does not catch it.

import type { Handler } from "belfry:bot/handler@0.1.0";

export const handler: Handler = {
  describe() {
    return { name: "crash-ts", version: "0.1.0", subscriptions: [], commands: [], configSchema: null };
  },

  handle() {
    throw new RangeError("on purpose");
  },
};
