// A plugin that gives up when it is handed an event.

#include <stdlib.h>
#include <string.h>

#include "plugin.h"

void exports_belfry_bot_handler_describe(exports_belfry_bot_handler_description_t *description) {
    memset(description, 0, sizeof *description);
    plugin_string_dup(&description->name, "crash-c");
    plugin_string_dup(&description->version, "0.1.0");
}

bool exports_belfry_bot_handler_handle(exports_belfry_bot_handler_event_t *event, exports_belfry_bot_handler_failure_t *failure) {
    (void)event;
    (void)failure;
    abort();
}
