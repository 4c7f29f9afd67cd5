// The test of answer.c, compiled for this machine.

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

int main(void) {
    char *hello = answer("/{{name}}", strlen("/{{name}}"), "Alice", 5);
    assert(hello != NULL && strcmp(hello, "Hello, Alice!") == 0);
    free(hello);
    assert(answer("good morning", 12, "Alice", 5) == NULL);
    return 0;
}
