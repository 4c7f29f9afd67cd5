// Lets Alibaba's own npm package @alicloud/dingtalk (2.2.27) talk to the newer API of a running simulator.
//
//     npm install @alicloud/dingtalk@2.2.27
//     node check_modern.mjs http://127.0.0.1:8790 dingkey SECRET FOLDER_WITH_NODE_MODULES
import { createRequire } from "node:module";
import { join } from "node:path";

const [base, appKey, appSecret, folder] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { default: Oauth, GetAccessTokenRequest } = require("@alicloud/dingtalk/oauth2_1_0");
const workflow = require("@alicloud/dingtalk/workflow_1_0");
const robot = require("@alicloud/dingtalk/robot_1_0");
const { Config } = require("@alicloud/openapi-client");
const { RuntimeOptions } = require("@alicloud/tea-util");

let checks = 0;
function check(what, isRight) {
  if (!isRight) {
    console.log(`WRONG  ${what}`);
    process.exit(1);
  }
  checks += 1;
  console.log(`ok     ${what}`);
}

async function refused(call) {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error.code;
  }
}

const config = new Config({ protocol: "http", regionId: "central", endpoint: new URL(base).host });
const runtime = new RuntimeOptions({});
const oauth = new Oauth(config);
const ask = (secret) => oauth.getAccessToken(new GetAccessTokenRequest({ appKey, appSecret: secret }));
const { accessToken, expireIn } = (await ask(appSecret)).body;
check("a token lives two hours", expireIn === 7200);
check("bad credentials are refused", (await refused(() => ask("wrong"))) === "invalidClientIdOrSecret");
const headers = (Kind, token = accessToken) => new Kind({ xAcsDingtalkAccessToken: token });

const flow = new workflow.default(config);
const start = new workflow.StartProcessInstanceRequest({
  processCode: "PROC-LEAVE",
  originatorUserId: "alice",
  deptId: -1,
  formComponentValues: [["请假类型", "年假"], ["请假天数", "1"], ["请假事由", "搬家"]].map(
    ([name, value]) => new workflow.StartProcessInstanceRequestFormComponentValues({ name, value }),
  ),
});
const started = await flow.startProcessInstanceWithOptions(start, headers(workflow.StartProcessInstanceHeaders), runtime);
const instance = started.body.instanceId;
check("an approval is started", Boolean(instance));
const get = (processInstanceId) =>
  flow.getProcessInstanceWithOptions(
    new workflow.GetProcessInstanceRequest({ processInstanceId }), headers(workflow.GetProcessInstanceHeaders), runtime,
  );
check("it is read as it was started", (await get(instance)).body.result.status === "RUNNING");
check("an unknown approval is refused", (await refused(() => get("nosuch"))) === "processInstanceNotExist");
const { taskId, userId } = (await get(instance)).body.result.tasks[0];
const decide = new workflow.ExecuteProcessInstanceRequest({
  processInstanceId: instance, taskId, actionerUserId: userId, result: "refuse", remark: "见附件",
  file: new workflow.ExecuteProcessInstanceRequestFile({
    photos: [],
    attachments: [new workflow.ExecuteProcessInstanceRequestFileAttachments({
      spaceId: "2001", fileId: "f1", fileName: "a.pdf", fileSize: "10", fileType: "pdf",
    })],
  }),
});
const other = (await flow.startProcessInstanceWithOptions(start, headers(workflow.StartProcessInstanceHeaders), runtime)).body.instanceId;
await flow.executeProcessInstanceWithOptions(decide, headers(workflow.ExecuteProcessInstanceHeaders), runtime);
const refusedOne = (await get(instance)).body.result;
check("a step is decided", refusedOne.result === "refuse");
check("with its file", refusedOne.operationRecords.some((record) => record.attachments?.[0]?.fileId === "f1"));
const form = await flow.querySchemaByProcessCodeWithOptions(
  new workflow.QuerySchemaByProcessCodeRequest({ processCode: "PROC-FORM" }), headers(workflow.QuerySchemaByProcessCodeHeaders), runtime,
);
check("a form tells its controls", form.body.result.schemaContent.items[0].props.label === "事由");
const end = new workflow.TerminateProcessInstanceRequest({ processInstanceId: other, isSystem: true });
check(
  "it cannot be withdrawn in its first 15 seconds",
  (await refused(() =>
    flow.terminateProcessInstanceWithOptions(end, headers(workflow.TerminateProcessInstanceHeaders), runtime),
  )) === "aflowProcessInstStatusException",
);

const bot = new robot.default(config);
const send = new robot.OrgGroupSendRequest({
  robotCode: appKey,
  openConversationId: "cidOncall==",
  msgKey: "sampleText",
  msgParam: JSON.stringify({ content: "你好" }),
});
const say = (token) => bot.orgGroupSendWithOptions(send, headers(robot.OrgGroupSendHeaders, token), runtime);
check("the robot writes to a group", Boolean((await say(accessToken)).body.processQueryKey));
check("a bad token is refused", (await refused(() => say("x".repeat(32)))) === "InvalidAuthentication");
console.log(`${checks} checks passed`);
