/* Lets writes and syncs of the store fail while a file says so, or its being opened for writing: `write 28`, `sync 5` or
 * `open 30`, the number being that of the error.
 *
 * It is loaded before the C library (LD_PRELOAD), so SQLite meets the error where a real disk reports it. BROKEN_DISK names
 * the file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_ordered(const char *path, const char *what) {
    if (!strstr(path, ".db")) return 0;
    const char *order = getenv("BROKEN_DISK");
    FILE *file = order ? fopen(order, "re") : NULL;
    if (!file) return 0;
    char word[16] = {0};
    int error = 0;
    int count = fscanf(file, "%15s %d", word, &error);
    fclose(file);
    if (count != 2 || strcmp(word, what) != 0) return 0;
    errno = error;
    return 1;
}

static int fails(int fd, const char *what) {
    char link[64], path[4096] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) >= 0 && is_ordered(path, what);
}

/* A disk without room still changes the length of a file. */
static int fails_to_truncate(int fd) { return fails(fd, "write") && errno != ENOSPC; }

#define FAILING(result, name, condition, parameters, arguments)          \
    result name parameters {                                             \
        static result(*real) parameters;                                 \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
        return condition ? -1 : real arguments;                          \
    }

FAILING(ssize_t, write, fails(fd, "write"), (int fd, const void *from, size_t count), (fd, from, count))
FAILING(ssize_t, pwrite, fails(fd, "write"), (int fd, const void *from, size_t count, off_t at), (fd, from, count, at))
FAILING(ssize_t, pwrite64, fails(fd, "write"), (int fd, const void *from, size_t count, off64_t at), (fd, from, count, at))
FAILING(int, ftruncate, fails_to_truncate(fd), (int fd, off_t length), (fd, length))
FAILING(int, ftruncate64, fails_to_truncate(fd), (int fd, off64_t length), (fd, length))
FAILING(int, fsync, fails(fd, "sync"), (int fd), (fd))
FAILING(int, fdatasync, fails(fd, "sync"), (int fd), (fd))

#define OPENING(name)                                                              \
    int name(const char *path, int flags, ...) {                                   \
        static int (*real)(const char *, int, ...);                                \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list rest;                                                              \
        va_start(rest, flags);                                                     \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                  \
        va_end(rest);                                                              \
        if ((flags & O_ACCMODE) != O_RDONLY && is_ordered(path, "open")) return -1; \
        return real(path, flags, mode);                                            \
    }

OPENING(open)
OPENING(open64)
