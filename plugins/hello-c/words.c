#include "words.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

uint32_t next_number(const uint8_t *stored, size_t length) {
    uint64_t number = 0;
    if (length == 0 || length > 10) {
        return 1;
    }
    for (size_t i = 0; i < length; i++) {
        if (stored[i] < '0' || stored[i] > '9') {
            return 1;
        }
        number = number * 10 + (stored[i] - '0');
    }
    if (number > UINT32_MAX) {
        return 1;
    }
    return number == UINT32_MAX ? UINT32_MAX : (uint32_t)number + 1;
}

size_t write_number(char digits[10], uint32_t number) {
    size_t length = 1;
    for (uint32_t rest = number; rest >= 10; rest /= 10) {
        length++;
    }
    for (size_t i = length; i > 0; i--) {
        digits[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return length;
}

char *join(const char *first, ...) {
    va_list texts;
    size_t length = 0;
    va_start(texts, first);
    for (const char *text = first; text != NULL; text = va_arg(texts, const char *)) {
        length += strlen(text);
    }
    va_end(texts);
    char *joined = malloc(length + 1);
    if (joined == NULL) {
        abort();
    }
    char *end = joined;
    va_start(texts, first);
    for (const char *text = first; text != NULL; text = va_arg(texts, const char *)) {
        size_t part = strlen(text);
        memcpy(end, text, part);
        end += part;
    }
    va_end(texts);
    *end = '\0';
    return joined;
}

bool is_text(const uint8_t *text, size_t length, const char *expected) {
    return length == strlen(expected) && memcmp(text, expected, length) == 0;
}
