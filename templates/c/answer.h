// What is answered: plain functions that a native test can call.

#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>

// The answer to a text of `length` bytes written by a person of this name, with a zero at its end, for the caller to free.
// NULL if it is not for this plugin, or if there is no memory left.
char *answer(const char *text, size_t length, const char *nick, size_t nick_length);

#endif
