// Package export_belfry_bot_handler is what belfry calls; the bindings look for it under this name.
package export_belfry_bot_handler

import (
	"fmt"
	"strconv"

	types "go.bytecodealliance.org/pkg/wit/types"

	api "hello-go/gen/belfry_bot_api"
	approval "hello-go/gen/belfry_bot_approval"
	config "hello-go/gen/belfry_bot_config"
	event "hello-go/gen/belfry_bot_event"
	handler "hello-go/gen/belfry_bot_handler"
	kv "hello-go/gen/belfry_bot_kv"
	message "hello-go/gen/belfry_bot_message"
	robot "hello-go/gen/belfry_bot_robot"
	"hello-go/words"
)

// How an event ends.
type result = types.Result[types.Unit, handler.Failure]

// Describe says what the plugin is.
func Describe() handler.Description {
	return handler.Description{
		Name:          "hello-go",
		Version:       "0.1.0",
		Subscriptions: []event.EventKind{event.EventKindChatMessage},
		Commands: []handler.Command{
			{Name: "/hello", Usage: "/hello: greets and counts"},
			{Name: "/hello leave", Usage: "/hello leave: asks for an approval"},
		},
	}
}

// Handle handles one event, each in a fresh instance.
func Handle(it event.Event) result {
	if it.Body.Tag() != event.EventBodyChatMessage {
		return done()
	}
	chat := it.Body.ChatMessage()
	switch chat.Text {
	case "/hello":
		return greet(chat)
	case "/hello leave":
		return askForLeave(chat)
	default:
		return done()
	}
}

func greet(chat event.ChatMessage) result {
	// Messages of one conversation come one after another, so nobody counts between these two calls.
	key := "count/" + chat.ConversationId
	stored := kv.Get(key)
	if stored.IsErr() {
		return refused(stored.Err())
	}
	number := words.Next(stored.Ok().SomeOr(nil))
	if set := kv.Set(key, []byte(strconv.FormatUint(uint64(number), 10))); set.IsErr() {
		return refused(set.Err())
	}
	return reply(fmt.Sprintf("hello, %s, number %d", chat.SenderNick, number))
}

func askForLeave(chat event.ChatMessage) result {
	process := config.Get("process").SomeOr("")
	if process == "" {
		return permanent("config `process` is missing")
	}
	if chat.SenderId.IsNone() {
		return reply(fmt.Sprintf("hello, %s, I do not know your user id", chat.SenderNick))
	}
	instance := approval.Create(approval.NewInstance{
		ProcessCode: process,
		Originator:  chat.SenderId.Some(),
		DeptId:      "-1",
		Fields:      []approval.Field{{Name: "事由", Value: "hello"}},
	})
	if instance.IsErr() {
		return failed(instance.Err())
	}
	return reply(fmt.Sprintf("approval %s is on its way", instance.Ok()))
}

// Answers the message that is being handled, mentioning nobody.
func reply(text string) result {
	if sent := robot.Reply(message.MakeRobotMessageText(text), message.Mentions{}); sent.IsErr() {
		return failed(sent.Err())
	}
	return done()
}

func done() result {
	return types.Ok[types.Unit, handler.Failure](types.Unit{})
}

func permanent(reason string) result {
	return types.Err[types.Unit](handler.MakeFailurePermanent(reason))
}

func retry(reason string, after types.Option[uint32]) result {
	return types.Err[types.Unit](handler.MakeFailureRetry(handler.Retry{Reason: reason, AfterMs: after}))
}

// How the event ends when DingTalk or belfry refused a call.
func failed(err api.Error) result {
	switch err.Tag() {
	case api.ErrorRateLimited:
		limit := err.RateLimited()
		return retry(reason(limit.Detail), types.Some(limit.RetryAfterMs))
	case api.ErrorUnavailable:
		return retry(reason(err.Unavailable()), types.None[uint32]())
	case api.ErrorDenied:
		return permanent(reason(err.Denied()))
	case api.ErrorInvalid:
		return permanent(reason(err.Invalid()))
	case api.ErrorNotFound:
		return permanent(reason(err.NotFound()))
	default:
		return permanent(reason(err.OutcomeUnknown()))
	}
}

func reason(detail api.Detail) string {
	return fmt.Sprintf("%s (%s)", detail.Message, detail.Code)
}

// How the event ends when the store refused.
func refused(err kv.Error) result {
	switch err.Tag() {
	case kv.ErrorUnavailable:
		return retry("kv: unavailable", types.None[uint32]())
	case kv.ErrorInvalidKey:
		return permanent("kv: invalid-key")
	case kv.ErrorValueTooLarge:
		return permanent("kv: value-too-large")
	default:
		return permanent("kv: full")
	}
}
