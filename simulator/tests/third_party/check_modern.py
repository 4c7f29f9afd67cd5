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
        process_instance_id=instance, task_id=task.task_id, actioner_user_id=task.user_id, result="agree",
    )
    flow.execute_process_instance_with_options(decide, headers(workflow, "ExecuteProcessInstance"), runtime)
    read = flow.get_process_instance_with_options(get, headers(workflow, "GetProcessInstance"), runtime).body.result
    check("a step is decided", read.tasks[0].result == "AGREE")
    unknown = workflow.GetProcessInstanceRequest(process_instance_id="nosuch")
    check(
        "an unknown approval is refused",
        refused(lambda: flow.get_process_instance_with_options(
            unknown, headers(workflow, "GetProcessInstance"), runtime)) == "processInstanceNotExist",
    )

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
