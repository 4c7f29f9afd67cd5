// Stands in for DingTalk's JavaScript in the browser story: a page is ready once it has configured itself with all that
// DingTalk asks for, and only then gets a code, for its own organisation.
window.dd = (() => {
  const NAMES = ["agentId", "corpId", "timeStamp", "nonceStr", "signature"];
  let configured;
  const missing = () => NAMES.filter((name) => !configured?.[name]);
  return {
    config(given) { configured = given; window.configured = given; },
    ready(done) { if (missing().length === 0) setTimeout(done); },
    error(failed) { if (missing().length > 0) setTimeout(() => failed({ errorMessage: `dd.config lacks ${missing()}` })); },
    runtime: {
      permission: {
        async requestAuthCode({ corpId }) {
          if (missing().length > 0 || corpId !== configured.corpId) throw new Error("no code before dd.ready");
          return { code: "CODE" };
        },
      },
    },
  };
})();
