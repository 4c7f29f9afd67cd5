#!/usr/bin/env python3
"""Lets the PyPI package dingtalk-sdk (1.3.8) talk to a running simulator, in both directions.

    python3 -m venv venv && venv/bin/pip install dingtalk-sdk==1.3.8 cryptography
    venv/bin/python check.py --app-secret SECRET --token TOKEN --aes-key KEY --callback-port PORT

The SDK builds the requests, reads the answers, decrypts the pushes and encrypts the replies; this script only says what
to ask and compares. `cargo xtask test` runs it against a simulator of its own.
"""

import argparse
import json
import logging
import sys
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests
from dingtalk import AppKeyClient
from dingtalk.client import SecretClient
from dingtalk.core.exceptions import (
    DingTalkClientException,
    InvalidCorpIdOrSuiteKeyException,
    InvalidSignatureException,
)
from dingtalk.crypto import DingTalkCrypto
from dingtalk.model.message import LinkBody, MarkdownBody, SingleActionCardBody, TextBody

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
    except DingTalkClientException as error:
        return error.errcode
    return None


def modern(client_class, base):
    """The SDK's client against `base`; its TOP gateway methods go to the /topapi/ paths that took their place."""

    class Client(client_class):
        API_BASE_URL = base + "/"

        def top_request(self, method, params=None, format_="json", v="2.0", simplify="false", partner_id=None,
                        url=None, **kwargs):
            for prefix in ("dingtalk.oapi.", "dingtalk.smartwork.bpms.", "dingtalk.corp."):
                if method.startswith(prefix):
                    path = "/topapi/" + method[len(prefix):].replace(".", "/")
                    return self.post(path, dict(params or {}), **kwargs)
            raise ValueError(method)

    return Client


class Receiver:
    """The app's callback address, with the SDK's crypto."""

    def __init__(self, port, crypto):
        self.crypto = crypto
        self.events = []
        self.failures = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                status, answer = outer.take(query, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, query, body):
        try:
            message = self.crypto.decrypt_message(body, query["signature"], query["timestamp"], query["nonce"])
            self.events.append(json.loads(message))
        except Exception as error:  # the SDK lets every kind of exception through
            self.failures.append(type(error))
            return 400, {}
        return 200, self.crypto.encrypt_message("success")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in [
        ("--base", "http://127.0.0.1:8790"), ("--app", "acme"), ("--corp-id", "dingcorp"), ("--app-key", "dingkey"),
        ("--app-secret", None), ("--agent-id", "1001"), ("--token", None), ("--aes-key", None),
        ("--receive-id", "dingcorp"), ("--callback-port", None),
    ]:
        arguments.add_argument(name, default=value, required=value is None)
    options = arguments.parse_args()
    base = options.base
    # The SDK logs every refusal as an error, also those that this script asks for.
    logging.disable(logging.CRITICAL)

    client = modern(AppKeyClient, base)(options.corp_id, options.app_key, options.app_secret)
    older = modern(SecretClient, base)(options.corp_id, options.app_secret)
    wrong = modern(AppKeyClient, base)(options.corp_id, options.app_key + "x", "wrong")

    tokens(base, client, older, wrong)
    chat(base, client)
    contacts(client)
    media(client)
    notice(client, int(options.agent_id))
    scene(base, client, options.app_key)
    decided(client)
    instance = approval(client, int(options.agent_id))
    crypto = DingTalkCrypto(options.token, options.aes_key, options.receive_id)
    callback(base, options, Receiver(int(options.callback_port), crypto), instance)
    print(f"{checks} checks passed")


def tokens(base, client, older, wrong):
    check("both forms of gettoken give the same token", client.access_token == older.access_token)
    check("bad credentials are refused with 40096", refused(lambda: wrong.access_token) == 40096)
    before = client.access_token
    requests.post(base + "/_sim/expire-tokens")
    check("the SDK gets a new token when 40014 comes", client.chat.get("chatoncall")["status"] == 1)
    check("and it is another one", client.access_token != before)


def chat(base, client):
    chatid = client.chat.create("SDK 群", "alice", ["alice", "bob"])
    info = client.chat.get(chatid)
    check("a group is as it was created", (info["name"], info["useridlist"]) == ("SDK 群", ["alice", "bob"]))
    client.chat.update(chatid, name="改名", add_useridlist=["carol"])
    check("a group can be changed", client.chat.get(chatid)["useridlist"] == ["alice", "bob", "carol"])
    sent = [
        client.chat.send(chatid, TextBody("你好")),
        client.chat.send(chatid, MarkdownBody("标题", "# 正文")),
        client.chat.send(chatid, LinkBody("https://example.com", "@pic", "标题", "正文")),
        client.chat.send(chatid, SingleActionCardBody("标题", "正文", "打开", "https://example.com")),
    ]
    groups = requests.get(base + "/_sim/groups").json()
    messages = next(group for group in groups if group["chatid"] == chatid)["messages"]
    check("the group shows what was sent", [message["id"] for message in messages] == sent)
    check("in the kinds that were sent",
          [message["msgtype"] for message in messages] == ["text", "markdown", "link", "action_card"])
    check("an unknown group is refused with 34001", refused(lambda: client.chat.send("chatx", TextBody("x"))) == 34001)
    check("a message over 2048 bytes is refused with 34016",
          refused(lambda: client.chat.send(chatid, TextBody("长" * 700))) == 34016)
    check("nobody has read", "readUserIdList" not in client.chat.get_read_list(sent[0], size=3))
    check("people can be looked up", client.user.get("alice")["name"] == "林爱丽")


def contacts(client):
    dave = client.user.get("dave")
    check("a person has departments and leads them", (dave["department"], dave["isLeaderInDepts"]) == ([2, 21], "{2:true,21:true}"))
    check("members of a department are listed", client.user.get_dept_member(21) == ["dave"])
    check("a union id leads to its person", client.user.get_userid_by_unionid("union-bob")["userid"] == "bob")
    # The SDK sends the flag the other way round.
    check("people are counted", (client.user.get_org_user_count(True), client.user.get_org_user_count(False)) == (12, 11))
    check("the scope is told", client.user.auth_scopes()["auth_org_scopes"]["authed_dept"] == [1])
    check("departments are listed by id", client.department.list_ids(1) == [2, 3, 4])
    listed = client.department.list(1, fetch_child=True)
    check("and with everything below", [item["id"] for item in listed] == [2, 3, 4, 21])
    check("a department has its leader", client.department.get(2)["deptManagerUseridList"] == "dave")
    check("a department leads to the root", client.department.list_parent_depts_by_dept(21) == [21, 2, 1])
    check("and so does a person", client.department.list_parent_depts("dave") == [[2, 1], [21, 2, 1]])
    check("an unknown person is refused with 60121", refused(lambda: client.user.get("ghost")) == 60121)
    check("an unknown department with 60003", refused(lambda: client.department.get(99)) == 60003)


def media(client):
    uploaded = client.message.media_upload("file", ("a.pdf", b"%PDF-1.4"))
    check("a file is uploaded", uploaded["media_id"].startswith("@"))
    check("one of no known form is refused with 40005",
          refused(lambda: client.message.media_upload("file", ("a.exe", b"x"))) == 40005)


def notice(client, agent_id):
    task = client.message.asyncsend_v2(TextBody("下班了"), agent_id, ["alice", "ghost"])
    check("a notice has a task", isinstance(task, int))
    check("its progress is done", client.message.getsendprogress(agent_id, task)["status"] == 2)
    result = client.message.getsendresult(agent_id, task)
    check("its result names whom it reached", result["unread_user_id_list"] == ["alice"])
    check("and who does not exist", result["invalid_user_id_list"] == ["ghost"])
    again = client.message.asyncsend_v2(TextBody("下班了"), agent_id, ["alice"])
    result = client.message.getsendresult(agent_id, again)
    check("the same again is dropped silently", result["forbidden_list"][0]["code"] == "143106")
    client.message.recall(agent_id, task)
    by_template = {"agent_id": agent_id, "template_id": "order-ready", "userid_list": "alice", "data": "{}"}
    check("a notice by template is for third-party apps",
          refused(lambda: client.top_request("dingtalk.oapi.message.corpconversation.sendbytemplate", by_template)) == 88)
    check("another agent id is refused with 40056",
          refused(lambda: client.message.asyncsend_v2(TextBody("x"), agent_id + 1, ["alice"])) == 40056)


def scene(base, client, robot):
    """The SDK has no functions for groups of a template; its TOP request makes the calls."""
    made = client.top_request("dingtalk.oapi.im.chat.scenegroup.create", {
        "title": "SDK 场景群", "template_id": "t1", "owner_user_id": "alice", "user_ids": "bob"})
    group = made["result"]["open_conversation_id"]
    message = {
        "robot_code": robot, "target_open_conversation_id": group, "msg_template_id": "inner_app_template_text",
        "msg_param_map": json.dumps({"content": "你好 @bob"}), "at_users": "bob",
    }
    send = "dingtalk.oapi.im.chat.scencegroup.message.send_v2"
    sent = client.top_request(send, message)
    check("a message of a template has an id", bool(sent["open_msg_id"]))
    groups = requests.get(base + "/_sim/groups").json()
    shown = next(entry for entry in groups if entry["id"] == group)["messages"][0]
    check("and calls somebody", (shown["content"]["content"], shown["mentions"]) == ("你好 @bob", ["bob"]))
    unknown = dict(message, msg_template_id="nosuch")
    check("an unknown template is refused with 660024", refused(lambda: client.top_request(send, unknown)) == 660024)


def decided(client):
    form = OrderedDict([("请假天数", "1")])
    instance = client.bpms.processinstance_create("PROC-LEAVE", "alice", -1, form_component_values=form, approvers=["bob"])
    task = client.bpms.processinstance_get(instance)["tasks"][0]["taskid"]
    file = {"space_id": "2001", "file_id": "f1", "file_name": "a.pdf", "file_size": "10", "file_type": "pdf"}
    execute = {"process_instance_id": instance, "task_id": task, "actioner_userid": "bob", "result": "agree",
               "remark": "见附件", "file": {"photos": [], "attachments": [file]}}
    client.top_request("dingtalk.oapi.process.instance.execute", {"request": execute})
    records = client.bpms.processinstance_get(instance)["operation_records"]
    check("a decision has its file",
          [(record["remark"], record["attachments"][0]["file_id"]) for record in records if record["attachments"]]
          == [("见附件", "f1")])
    check("nothing waits for its approver any more", client.bpms.dingtalk_oapi_process_gettodonum("bob")["count"] == 0)
    check("templates are listed", len(client.bpms.process_listbyuserid("alice")["result"]["process_list"]) == 3)


def approval(client, agent_id):
    form = OrderedDict([("请假天数", "2"), ("请假事由", "看牙")])
    instance = client.bpms.processinstance_create("PROC-LEAVE", "alice", -1, form_component_values=form,
                                                  agent_id=agent_id, approvers=["bob", "carol"])
    got = client.bpms.processinstance_get(instance)
    check("an approval runs", (got["status"], got["originator_userid"]) == ("RUNNING", "alice"))
    check("its first approver is asked", [task["userid"] for task in got["tasks"]] == ["bob"])
    check("its form is as it was sent", [item["value"] for item in got["form_component_values"]] == ["2", "看牙"])
    listed = client.bpms.processinstance_listids("PROC-LEAVE", int(time.time() * 1000) - 60000, None)
    check("it is listed", instance in listed["result"]["list"])
    check("an unknown template is refused with 820001",
          refused(lambda: client.bpms.processinstance_create("PROC-X", "alice", -1, form_component_values=form)) == 820001)
    return instance


def callback(base, options, receiver, instance):
    def push(**extra):
        event = {"EventType": "user_add_org", "CorpId": options.corp_id, "UserId": ["张三"], "TimeStamp": "1"}
        body = dict(app=options.app, event=event, attempts=1, **extra)
        return event, requests.post(base + "/_sim/events", json=body).json()

    event, report = push()
    check("the SDK decrypts a push", event in receiver.events)
    check("the simulator decrypts the SDK's reply", report["delivered"] is True)
    _, report = push(tamper="signature")
    check("the SDK sees a wrong signature",
          (receiver.failures[-1], report["delivered"]) == (InvalidSignatureException, False))
    push(tamper="receive-id")
    check("the SDK sees another receiver", receiver.failures[-1] is InvalidCorpIdOrSuiteKeyException)
    for tamper in ("key", "base64", "padding", "length", "not-json"):
        _, report = push(tamper=tamper)
        check(f"a push broken by {tamper} is not acknowledged", report["delivered"] is False)
    before = len(receiver.events)
    requests.post(f"{base}/_sim/approvals/{instance}/decide", json={"userid": "bob", "result": "refuse", "remark": "忙"})
    for _ in range(200):
        told = [(event["EventType"], event["type"], event.get("result")) for event in receiver.events[before:]]
        if len(told) >= 2:
            break
        time.sleep(0.02)
    check("a decision is pushed in order",
          told == [("bpms_task_change", "finish", "refuse"), ("bpms_instance_change", "finish", "refuse")])


if __name__ == "__main__":
    main()
