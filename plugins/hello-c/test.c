// The test of words.c, compiled for this machine.

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

static uint32_t after(const char *stored) {
    return next_number((const uint8_t *)stored, strlen(stored));
}

int main(void) {
    assert(after("") == 1);
    assert(after("1") == 2);
    assert(after("41") == 42);
    assert(after("many") == 1);
    assert(after("-1") == 1);
    assert(after("4294967294") == UINT32_MAX);
    assert(after("4294967295") == UINT32_MAX);
    assert(after("4294967296") == 1);
    assert(after("99999999999999999999") == 1);

    char digits[10];
    assert(write_number(digits, 0) == 1 && digits[0] == '0');
    assert(write_number(digits, UINT32_MAX) == 10 && memcmp(digits, "4294967295", 10) == 0);

    char *joined = join("hello, ", "", "Alice", NULL);
    assert(strcmp(joined, "hello, Alice") == 0);
    free(joined);

    assert(is_text((const uint8_t *)"/hello", 6, "/hello"));
    assert(!is_text((const uint8_t *)"/hello", 5, "/hello"));
    return 0;
}
