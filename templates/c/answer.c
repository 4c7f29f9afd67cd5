#include "answer.h"

#include <stdlib.h>
#include <string.h>

static const char COMMAND[] = "/{{name}}";
static const char GREETING[] = "Hello, ";

char *answer(const char *text, size_t length, const char *nick, size_t nick_length) {
    if (length != strlen(COMMAND) || memcmp(text, COMMAND, length) != 0) {
        return NULL;
    }
    size_t greeting = strlen(GREETING);
    char *answer = malloc(greeting + nick_length + 2);
    if (answer == NULL) {
        return NULL;
    }
    memcpy(answer, GREETING, greeting);
    memcpy(answer + greeting, nick, nick_length);
    memcpy(answer + greeting + nick_length, "!", 2);
    return answer;
}
