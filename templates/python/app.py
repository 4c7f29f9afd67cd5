"""What belfry calls."""

from wit_world import exports
from wit_world.exports.handler import Command, Description
from wit_world.imports import robot
from wit_world.imports.event import ChatMessage, Event, EventBody_ChatMessage, EventKind
from wit_world.imports.message import Mentions, RobotMessage_Text

import failure
from answer import answer


class Handler(exports.Handler):
    def describe(self) -> Description:
        """Says what the plugin is. Runs when it is loaded."""
        return Description(
            name="{{name}}",
            version="0.1.0",
            subscriptions=[EventKind.CHAT_MESSAGE],
            commands=[Command("/{{name}}", "/{{name}}: says hello")],
            config_schema=None,
        )

    def handle(self, event: Event) -> None:
        """Handles one event, each in a fresh instance."""
        try:
            match event.body:
                case EventBody_ChatMessage(message):
                    handle_message(message)
        except Exception as error:
            raise failure.of(error) from None


def handle_message(message: ChatMessage) -> None:
    text = answer(message.text, message.sender_nick)
    if text is not None:
        nobody = Mentions(user_ids=[], mobiles=[], all=False)
        robot.reply(RobotMessage_Text(text), nobody)
