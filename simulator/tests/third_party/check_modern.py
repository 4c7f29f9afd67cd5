#!/usr/bin/env python3
"""Lets Alibaba's own PyPI package alibabacloud-dingtalk (2.2.65) talk to the newer API of a running simulator.

    python3 -m venv venv && venv/bin/pip install alibabacloud-dingtalk==2.2.65
    venv/bin/python check_modern.py --base http://127.0.0.1:8790 --app-key dingkey --app-secret SECRET
"""

import argparse
import json
import sys
import time
from urllib.parse import urlsplit

from alibabacloud_dingtalk.im_1_0 import client as im_client, models as im
from alibabacloud_dingtalk.oauth2_1_0 import client as oauth_client, models as oauth
from alibabacloud_dingtalk.robot_1_0 import client as robot_client, models as robot
from alibabacloud_dingtalk.workflow_1_0 import client as workflow_client, models as workflow
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions

checks = 0


def check(what, is_right):
    """Counts one comparison and ends the run at the first wrong one."""
    global checks
    if not is_right:
        print(f"WRONG  {what}")
        sys.exit(1)
    checks += 1
    print(f"ok     {what}")


def refused(call):
    """The code with which the SDK says a call was refused, None when it went through."""
    try:
        call()
    except Exception as error:  # its own classes differ from version to version
        return getattr(error, "code", None) or type(error).__name__
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in [("--base", "http://127.0.0.1:8790"), ("--app-key", "dingkey"), ("--app-secret", None)]:
        arguments.add_argument(name, default=value, required=value is None)
    options = arguments.parse_args()
    config = Config(protocol="http", region_id="central", endpoint=urlsplit(options.base).netloc)

    oauth_api = oauth_client.Client(config)
    ask = oauth.GetAccessTokenRequest(app_key=options.app_key, app_secret=options.app_secret)
    token = oauth_api.get_access_token(ask).body
    check("a token lives two hours", token.expire_in == 7200)
    wrong = oauth.GetAccessTokenRequest(app_key=options.app_key, app_secret="wrong")
    check("bad credentials are refused", refused(lambda: oauth_api.get_access_token(wrong)) == "invalidClientIdOrSecret")
    token = token.access_token
    runtime = RuntimeOptions()

    def headers(models, name):
        made = getattr(models, name + "Headers")()
        made.x_acs_dingtalk_access_token = token
        return made

    ticket = oauth_api.create_jsapi_ticket_with_options(headers(oauth, "CreateJsapiTicket"), runtime).body
    check("a page gets a ticket", bool(ticket.jsapi_ticket) and ticket.expire_in == 7200)

    flow = workflow_client.Client(config)
    fields = [
        workflow.StartProcessInstanceRequestFormComponentValues(name=name, value=value)
        for name, value in [("请假类型", "年假"), ("请假天数", "1"), ("请假事由", "搬家")]
    ]
    start = workflow.StartProcessInstanceRequest(
        process_code="PROC-LEAVE", originator_user_id="alice", dept_id=-1, form_component_values=fields,
    )
    instance = flow.start_process_instance_with_options(start, headers(workflow, "StartProcessInstance"), runtime)
    instance = instance.body.instance_id
    check("an approval is started", bool(instance))
    get = workflow.GetProcessInstanceRequest(process_instance_id=instance)
    read = flow.get_process_instance_with_options(get, headers(workflow, "GetProcessInstance"), runtime).body.result
    check("it is read as it was started", (read.status, read.originator_user_id) == ("RUNNING", "alice"))
    check("with its form", [field.value for field in read.form_component_values] == ["年假", "1", "搬家"])
    ids = workflow.ListProcessInstanceIdsRequest(
        process_code="PROC-LEAVE", start_time=int(time.time() * 1000) - 60000, next_token=0, max_results=20,
    )
    listed = flow.list_process_instance_ids_with_options(ids, headers(workflow, "ListProcessInstanceIds"), runtime)
    check("it is listed", instance in listed.body.result.list)
    task = read.tasks[0]
    decide = workflow.ExecuteProcessInstanceRequest(
        process_instance_id=instance, task_id=task.task_id, actioner_user_id=task.user_id, result="agree", remark="见附件",
        file=workflow.ExecuteProcessInstanceRequestFile(photos=[], attachments=[
            workflow.ExecuteProcessInstanceRequestFileAttachments(
                space_id="2001", file_id="f1", file_name="a.pdf", file_size="10", file_type="pdf"),
        ]),
    )
    flow.execute_process_instance_with_options(decide, headers(workflow, "ExecuteProcessInstance"), runtime)
    read = flow.get_process_instance_with_options(get, headers(workflow, "GetProcessInstance"), runtime).body.result
    check("a step is decided", read.tasks[0].result == "AGREE")
    files = [record.attachments[0].file_id for record in read.operation_records if record.attachments]
    check("with its file", files == ["f1"])
    comment = workflow.AddProcessInstanceCommentRequest(
        process_instance_id=instance, comment_user_id="bob", text="收到",
    )
    flow.add_process_instance_comment_with_options(comment, headers(workflow, "AddProcessInstanceComment"), runtime)
    read = flow.get_process_instance_with_options(get, headers(workflow, "GetProcessInstance"), runtime).body.result
    check("a comment is in its history", read.operation_records[-1].remark == "收到")
    schema = workflow.QuerySchemaByProcessCodeRequest(process_code="PROC-FORM")
    schema = flow.query_schema_by_process_code_with_options(
        schema, headers(workflow, "QuerySchemaByProcessCode"), runtime).body.result
    first = schema.schema_content.items[0]
    check("a form tells its controls", (schema.name, first.component_name, first.props.required)
          == ("示例表单", "TextField", True))
    todo = workflow.GetUserTodoTaskSumRequest(user_id="manager")
    todo = flow.get_user_todo_task_sum_with_options(todo, headers(workflow, "GetUserTodoTaskSum"), runtime).body.result
    check("what waits for a person is counted", todo == 0)
    by_name = workflow.GetProcessCodeByNameRequest(name="请假")
    by_name = flow.get_process_code_by_name_with_options(by_name, headers(workflow, "GetProcessCodeByName"), runtime)
    check("a template is found by its name", by_name.body.result.process_code == "PROC-LEAVE")
    unknown = workflow.GetProcessInstanceRequest(process_instance_id="nosuch")
    check(
        "an unknown approval is refused",
        refused(lambda: flow.get_process_instance_with_options(
            unknown, headers(workflow, "GetProcessInstance"), runtime)) == "processInstanceNotExist",
    )

    chats = im_client.Client(config)
    scene = im.CreateSceneGroupRequest(
        title="场景群", template_id="t1", owner_user_id="alice", user_ids=["bob"], uuid="sdk-1",
    )
    create = lambda: chats.create_scene_group_with_options(scene, headers(im, "CreateSceneGroup"), runtime).body
    group = create().open_conversation_id
    check("a group is made of a template once for one word", bool(group) and create().open_conversation_id == group)
    join = im.AddSceneGroupMemberRequest(open_conversation_id=group, user_ids=["carol"])
    chats.add_scene_group_member_with_options(join, headers(im, "AddSceneGroupMember"), runtime)
    leave = im.RemoveSceneGroupMemberRequest(open_conversation_id=group, user_ids=["bob"])
    chats.remove_scene_group_member_with_options(leave, headers(im, "RemoveSceneGroupMember"), runtime)
    listed = im.GetSceneGroupMembersRequest(open_conversation_id=group, cursor="0", size=10)
    listed = chats.get_scene_group_members_with_options(listed, headers(im, "GetSceneGroupMembers"), runtime).body
    check("its members change", listed.member_user_ids == ["alice", "carol"])

    bot = robot_client.Client(config)
    text = json.dumps({"content": "你好"})
    send = robot.OrgGroupSendRequest(
        robot_code=options.app_key, open_conversation_id="cidOncall==", msg_key="sampleText", msg_param=text,
    )
    key = bot.org_group_send_with_options(send, headers(robot, "OrgGroupSend"), runtime).body.process_query_key
    check("the robot writes to a group", bool(key))
    query = robot.OrgGroupQueryRequest(
        robot_code=options.app_key, open_conversation_id="cidOncall==", process_query_key=key,
    )
    state = bot.org_group_query_with_options(query, headers(robot, "OrgGroupQuery"), runtime).body
    check("what it wrote was sent", state.send_status == "SUCCESS")
    recall = robot.OrgGroupRecallRequest(
        robot_code=options.app_key, open_conversation_id="cidOncall==", process_query_keys=[key],
    )
    recalled = bot.org_group_recall_with_options(recall, headers(robot, "OrgGroupRecall"), runtime).body
    check("and can be taken back", recalled.success_result == [key])
    token = "x" * 32
    check("a bad token is refused",
          refused(lambda: bot.org_group_send_with_options(send, headers(robot, "OrgGroupSend"), runtime))
          == "InvalidAuthentication")
    print(f"{checks} checks passed")


if __name__ == "__main__":
    main()
