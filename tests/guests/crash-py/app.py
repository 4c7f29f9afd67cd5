"""A plugin that raises when it is handed an event, and does not catch it."""

from wit_world import exports
from wit_world.exports.handler import Description
from wit_world.imports.event import Event


class Handler(exports.Handler):
    def describe(self) -> Description:
        return Description(name="crash-py", version="0.1.0", subscriptions=[], commands=[], config_schema=None)

    def handle(self, event: Event) -> None:
        raise ValueError("on purpose")
