// Package export_belfry_bot_handler panics when it is handed an event.
package export_belfry_bot_handler

import (
	types "go.bytecodealliance.org/pkg/wit/types"

	event "crash-go/gen/belfry_bot_event"
	handler "crash-go/gen/belfry_bot_handler"
)

// Describe says what the plugin is.
func Describe() handler.Description {
	return handler.Description{Name: "crash-go", Version: "0.1.0"}
}

// Handle never returns.
func Handle(event.Event) types.Result[types.Unit, handler.Failure] {
	panic("on purpose")
}
