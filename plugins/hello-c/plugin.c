// What belfry calls. It frees what is returned, with `free`; what it passes in is to be freed here.

#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "words.h"

typedef exports_belfry_bot_handler_failure_t failure_t;
typedef belfry_bot_event_chat_message_t message_t;

void exports_belfry_bot_handler_describe(exports_belfry_bot_handler_description_t *description) {
    memset(description, 0, sizeof *description);
    plugin_string_dup(&description->name, "hello-c");
    plugin_string_dup(&description->version, "0.1.0");

    description->subscriptions.len = 1;
    description->subscriptions.ptr = calloc(1, sizeof *description->subscriptions.ptr);
    description->subscriptions.ptr[0] = BELFRY_BOT_EVENT_EVENT_KIND_CHAT_MESSAGE;

    description->commands.len = 2;
    description->commands.ptr = calloc(2, sizeof *description->commands.ptr);
    plugin_string_dup(&description->commands.ptr[0].name, "/hello");
    plugin_string_dup(&description->commands.ptr[0].usage, "/hello: greets and counts");
    plugin_string_dup(&description->commands.ptr[1].name, "/hello leave");
    plugin_string_dup(&description->commands.ptr[1].usage, "/hello leave: asks for an approval");
}

// A copy with a zero at its end.
static char *text_of(const plugin_string_t *string) {
    char *text = malloc(string->len + 1);
    if (text == NULL) {
        abort();
    }
    memcpy(text, string->ptr, string->len);
    text[string->len] = '\0';
    return text;
}

static bool fail_for_good(failure_t *failure, const char *reason) {
    failure->tag = EXPORTS_BELFRY_BOT_HANDLER_FAILURE_PERMANENT;
    plugin_string_dup(&failure->val.permanent, reason);
    return false;
}

static bool fail_for_now(failure_t *failure, const char *reason) {
    memset(failure, 0, sizeof *failure);
    failure->tag = EXPORTS_BELFRY_BOT_HANDLER_FAILURE_RETRY;
    plugin_string_dup(&failure->val.retry.reason, reason);
    return false;
}

// How the event ends when DingTalk or belfry refused a call.
static bool failed(belfry_bot_api_error_t *error, failure_t *failure) {
    // In every case but one the value is a detail, and in that one it begins with a detail.
    char *message = text_of(&error->val.denied.message);
    char *code = text_of(&error->val.denied.code);
    char *reason = join(message, " (", code, ")", NULL);
    switch (error->tag) {
    case BELFRY_BOT_API_ERROR_RATE_LIMITED:
        fail_for_now(failure, reason);
        failure->val.retry.after_ms.is_some = true;
        failure->val.retry.after_ms.val = error->val.rate_limited.retry_after_ms;
        break;
    case BELFRY_BOT_API_ERROR_UNAVAILABLE:
        fail_for_now(failure, reason);
        break;
    default:
        fail_for_good(failure, reason);
    }
    free(message);
    free(code);
    free(reason);
    belfry_bot_api_error_free(error);
    return false;
}

// How the event ends when the store refused.
static bool refused(belfry_bot_kv_error_t *error, failure_t *failure) {
    switch (error->tag) {
    case BELFRY_BOT_KV_ERROR_UNAVAILABLE:
        return fail_for_now(failure, "kv: unavailable");
    case BELFRY_BOT_KV_ERROR_INVALID_KEY:
        return fail_for_good(failure, "kv: invalid-key");
    case BELFRY_BOT_KV_ERROR_VALUE_TOO_LARGE:
        return fail_for_good(failure, "kv: value-too-large");
    default:
        return fail_for_good(failure, "kv: full");
    }
}

// Answers the message that is being handled, mentioning nobody.
static bool reply(const char *text, failure_t *failure) {
    belfry_bot_robot_robot_message_t message = {.tag = BELFRY_BOT_MESSAGE_ROBOT_MESSAGE_TEXT};
    plugin_string_set(&message.val.text, text);
    belfry_bot_robot_mentions_t nobody = {0};
    belfry_bot_robot_error_t error;
    return belfry_bot_robot_reply(&message, &nobody, &error) || failed(&error, failure);
}

// Counts one more message of a conversation. Its messages come one after another, so nobody counts between reading and writing.
static bool count(const message_t *message, uint32_t *number, failure_t *failure) {
    char *conversation = text_of(&message->conversation_id);
    char *name = join("count/", conversation, NULL);
    free(conversation);
    plugin_string_t key;
    plugin_string_set(&key, name);

    belfry_bot_kv_error_t error;
    plugin_option_list_u8_t stored;
    bool done = belfry_bot_kv_get(&key, &stored, &error);
    if (done) {
        *number = stored.is_some ? next_number(stored.val.ptr, stored.val.len) : 1;
        plugin_option_list_u8_free(&stored);
        char digits[10];
        plugin_list_u8_t value = {(uint8_t *)digits, write_number(digits, *number)};
        done = belfry_bot_kv_set(&key, &value, &error);
    }
    free(name);
    return done || refused(&error, failure);
}

static bool greet(const message_t *message, failure_t *failure) {
    uint32_t number;
    if (!count(message, &number, failure)) {
        return false;
    }
    char digits[11] = {0};
    write_number(digits, number);
    char *nick = text_of(&message->sender_nick);
    char *text = join("hello, ", nick, ", number ", digits, NULL);
    free(nick);
    bool done = reply(text, failure);
    free(text);
    return done;
}

// Starts an approval of one field and says which.
static bool start(plugin_string_t process, plugin_string_t originator, failure_t *failure) {
    belfry_bot_approval_field_t field;
    plugin_string_set(&field.name, "事由");
    plugin_string_set(&field.value, "hello");
    belfry_bot_approval_new_instance_t wanted = {
        .process_code = process,
        .originator = originator,
        .fields = {&field, 1},
    };
    plugin_string_set(&wanted.dept_id, "-1");
    belfry_bot_approval_instance_id_t instance;
    belfry_bot_approval_error_t error;
    if (!belfry_bot_approval_create(&wanted, &instance, &error)) {
        return failed(&error, failure);
    }
    char *id = text_of(&instance);
    belfry_bot_approval_instance_id_free(&instance);
    char *text = join("approval ", id, " is on its way", NULL);
    free(id);
    bool done = reply(text, failure);
    free(text);
    return done;
}

static bool ask_for_leave(const message_t *message, failure_t *failure) {
    plugin_string_t key, process;
    plugin_string_set(&key, "process");
    if (!belfry_bot_config_get(&key, &process)) {
        return fail_for_good(failure, "config `process` is missing");
    }
    bool done;
    if (process.len == 0) {
        done = fail_for_good(failure, "config `process` is missing");
    } else if (message->sender_id.is_some) {
        done = start(process, message->sender_id.val, failure);
    } else {
        char *nick = text_of(&message->sender_nick);
        char *text = join("hello, ", nick, ", I do not know your user id", NULL);
        free(nick);
        done = reply(text, failure);
        free(text);
    }
    plugin_string_free(&process);
    return done;
}

bool exports_belfry_bot_handler_handle(exports_belfry_bot_handler_event_t *event, failure_t *failure) {
    bool done = true;
    if (event->body.tag == BELFRY_BOT_EVENT_EVENT_BODY_CHAT_MESSAGE) {
        const message_t *message = &event->body.val.chat_message;
        if (is_text(message->text.ptr, message->text.len, "/hello")) {
            done = greet(message, failure);
        } else if (is_text(message->text.ptr, message->text.len, "/hello leave")) {
            done = ask_for_leave(message, failure);
        }
    }
    exports_belfry_bot_handler_event_free(event);
    return done;
}
