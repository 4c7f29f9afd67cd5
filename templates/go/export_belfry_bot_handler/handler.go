// Package export_belfry_bot_handler is what belfry calls; the bindings look for it under this name.
package export_belfry_bot_handler

import (
	"fmt"

	types "go.bytecodealliance.org/pkg/wit/types"

	"{{name}}/answer"
	api "{{name}}/gen/belfry_bot_api"
	event "{{name}}/gen/belfry_bot_event"
	handler "{{name}}/gen/belfry_bot_handler"
	message "{{name}}/gen/belfry_bot_message"
	robot "{{name}}/gen/belfry_bot_robot"
)

// How an event ends.
type result = types.Result[types.Unit, handler.Failure]

// Describe says what the plugin is. It runs when the plugin is loaded.
func Describe() handler.Description {
	return handler.Description{
		Name:          "{{name}}",
		Version:       "0.1.0",
		Subscriptions: []event.EventKind{event.EventKindChatMessage},
		Commands: []handler.Command{
			{Name: "/{{name}}", Usage: "/{{name}}: says hello"},
		},
	}
}

// Handle handles one event, each in a fresh instance.
func Handle(it event.Event) result {
	if it.Body.Tag() != event.EventBodyChatMessage {
		return done()
	}
	chat := it.Body.ChatMessage()
	text, ok := answer.To(chat.Text, chat.SenderNick)
	if !ok {
		return done()
	}
	return reply(text)
}

// Answers the message that is being handled, mentioning nobody.
func reply(text string) result {
	sent := robot.Reply(message.MakeRobotMessageText(text), message.Mentions{})
	if sent.IsErr() {
		return failed(sent.Err())
	}
	return done()
}

func done() result {
	return types.Ok[types.Unit, handler.Failure](types.Unit{})
}

// How the event ends when a call was refused: what was not done and may work later is tried again.
func failed(err api.Error) result {
	var failure handler.Failure
	switch err.Tag() {
	case api.ErrorRateLimited:
		limit := err.RateLimited()
		failure = handler.MakeFailureRetry(handler.Retry{
			Reason:  reason(limit.Detail),
			AfterMs: types.Some(limit.RetryAfterMs),
		})
	case api.ErrorUnavailable:
		failure = handler.MakeFailureRetry(handler.Retry{Reason: reason(err.Unavailable())})
	case api.ErrorDenied:
		failure = handler.MakeFailurePermanent(reason(err.Denied()))
	case api.ErrorInvalid:
		failure = handler.MakeFailurePermanent(reason(err.Invalid()))
	case api.ErrorNotFound:
		failure = handler.MakeFailurePermanent(reason(err.NotFound()))
	default:
		failure = handler.MakeFailurePermanent(reason(err.OutcomeUnknown()))
	}
	return types.Err[types.Unit](failure)
}

func reason(detail api.Detail) string {
	return fmt.Sprintf("%s (%s)", detail.Message, detail.Code)
}
