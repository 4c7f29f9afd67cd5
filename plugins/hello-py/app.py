"""Greets and counts, in Python. The README of `hello` says what it does."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import Command, Description, Failure_Permanent
from wit_world.imports import approval, config, kv, robot
from wit_world.imports.event import ChatMessage, Event, EventBody_ChatMessage, EventKind
from wit_world.imports.message import Mentions, RobotMessage_Text

import failure
from counting import following, greeting


class Handler(exports.Handler):
    def describe(self) -> Description:
        return Description(
            name="hello-py",
            version="0.1.0",
            subscriptions=[EventKind.CHAT_MESSAGE],
            commands=[
                Command("/hello", "/hello: greets and counts"),
                Command("/hello leave", "/hello leave: asks for an approval"),
            ],
            config_schema=None,
        )

    def handle(self, event: Event) -> None:
        try:
            match event.body:
                case EventBody_ChatMessage(message) if message.text == "/hello":
                    greet(message)
                case EventBody_ChatMessage(message) if message.text == "/hello leave":
                    ask_for_leave(message)
        except Exception as error:
            raise failure.of(error) from None


def greet(message: ChatMessage) -> None:
    # Messages of one conversation come one after another, so nobody counts between these two calls.
    key = f"count/{message.conversation_id}"
    number = following(kv.get(key))
    kv.set(key, str(number).encode())
    answer(greeting(message.sender_nick, number))


def ask_for_leave(message: ChatMessage) -> None:
    process = config.get("process")
    if not process:
        raise Err(Failure_Permanent("config `process` is missing"))
    if message.sender_id is None:
        answer(f"hello, {message.sender_nick}, I do not know your user id")
        return
    instance = approval.create(
        approval.NewInstance(
            process_code=process,
            originator=message.sender_id,
            dept_id="-1",
            fields=[approval.Field("事由", "hello")],
            steps=[],
            cc=[],
        )
    )
    answer(f"approval {instance} is on its way")


def answer(text: str) -> None:
    robot.reply(RobotMessage_Text(text), Mentions(user_ids=[], mobiles=[], all=False))
