// What is said and counted: plain functions that a native test can call.

#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The number after a stored one, which is decimal text; what is no number of 32 bits counts as 0.
uint32_t next_number(const uint8_t *stored, size_t length);

// Writes a number as decimal text and returns its length; ten digits are enough.
size_t write_number(char digits[10], uint32_t number);

// Joins texts up to NULL, for the caller to free. Ends the program if there is no memory left.
char *join(const char *first, ...);

// Whether text of some length is this one.
bool is_text(const uint8_t *text, size_t length, const char *expected);

#endif
