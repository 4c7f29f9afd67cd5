// What belfry calls. It frees what is returned, with `free`; what it passes in is to be freed here.

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "plugin.h"

// Says what the plugin is. Runs when it is loaded.
void exports_belfry_bot_handler_describe(exports_belfry_bot_handler_description_t *description) {
    memset(description, 0, sizeof *description);
    plugin_string_dup(&description->name, "{{name}}");
    plugin_string_dup(&description->version, "0.1.0");

    description->subscriptions.len = 1;
    description->subscriptions.ptr = calloc(1, sizeof *description->subscriptions.ptr);
    description->subscriptions.ptr[0] = BELFRY_BOT_EVENT_EVENT_KIND_CHAT_MESSAGE;

    description->commands.len = 1;
    description->commands.ptr = calloc(1, sizeof *description->commands.ptr);
    plugin_string_dup(&description->commands.ptr[0].name, "/{{name}}");
    plugin_string_dup(&description->commands.ptr[0].usage, "/{{name}}: says hello");
}

// How the event ends when a call was refused: what was not done and may work later is tried again.
static void fail(belfry_bot_api_error_t *error, exports_belfry_bot_handler_failure_t *failure) {
    // In every case but one the value is a detail, and in that one it begins with a detail.
    belfry_bot_api_detail_t detail = error->val.denied;
    memset(failure, 0, sizeof *failure);
    switch (error->tag) {
    case BELFRY_BOT_API_ERROR_RATE_LIMITED:
        failure->val.retry.after_ms.is_some = true;
        failure->val.retry.after_ms.val = error->val.rate_limited.retry_after_ms;
        // fall through
    case BELFRY_BOT_API_ERROR_UNAVAILABLE:
        failure->tag = EXPORTS_BELFRY_BOT_HANDLER_FAILURE_RETRY;
        failure->val.retry.reason = detail.message;
        break;
    default:
        failure->tag = EXPORTS_BELFRY_BOT_HANDLER_FAILURE_PERMANENT;
        failure->val.permanent = detail.message;
    }
    plugin_string_free(&detail.code);
}

// Answers the message that is being handled, mentioning nobody.
static bool reply(const char *text, exports_belfry_bot_handler_failure_t *failure) {
    belfry_bot_robot_robot_message_t message = {.tag = BELFRY_BOT_MESSAGE_ROBOT_MESSAGE_TEXT};
    plugin_string_set(&message.val.text, text);
    belfry_bot_robot_mentions_t nobody = {0};
    belfry_bot_robot_error_t error;
    if (belfry_bot_robot_reply(&message, &nobody, &error)) {
        return true;
    }
    fail(&error, failure);
    return false;
}

// Handles one event, each in a fresh instance; `true` means that it is done.
bool exports_belfry_bot_handler_handle(exports_belfry_bot_handler_event_t *event,
                                       exports_belfry_bot_handler_failure_t *failure) {
    bool done = true;
    if (event->body.tag == BELFRY_BOT_EVENT_EVENT_BODY_CHAT_MESSAGE) {
        belfry_bot_event_chat_message_t *message = &event->body.val.chat_message;
        char *text = answer((const char *)message->text.ptr, message->text.len,
                            (const char *)message->sender_nick.ptr, message->sender_nick.len);
        if (text != NULL) {
            done = reply(text, failure);
            free(text);
        }
    }
    exports_belfry_bot_handler_event_free(event);
    return done;
}
