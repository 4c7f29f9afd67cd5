/* Lets writes and syncs of the store fail while a file says so: `write 28` or `sync 5`, the number being that of the error.
 *
 * It is loaded before the C library (LD_PRELOAD), so SQLite meets the error where a real disk reports it. BROKEN_DISK names
 * the file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd, const char *what) {
    const char *order = getenv("BROKEN_DISK");
    int file = order ? open(order, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    char text[32] = {0}, word[16] = {0}, link[64], path[4096] = {0};
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    int error = 0;
    if (count <= 0 || sscanf(text, "%15s %d", word, &error) != 2 || strcmp(word, what) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0 || !strstr(path, ".db")) return 0;
    errno = error;
    return 1;
}

#define FAILING(result, name, what, parameters, arguments)                  \
    result name parameters {                                                \
        static result(*real) parameters;                                    \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name);    \
        return fails(fd, what) ? -1 : real arguments;                       \
    }

FAILING(ssize_t, write, "write", (int fd, const void *from, size_t count), (fd, from, count))
FAILING(ssize_t, pwrite, "write", (int fd, const void *from, size_t count, off_t at), (fd, from, count, at))
FAILING(ssize_t, pwrite64, "write", (int fd, const void *from, size_t count, off64_t at), (fd, from, count, at))
FAILING(int, ftruncate, "write", (int fd, off_t length), (fd, length))
FAILING(int, ftruncate64, "write", (int fd, off64_t length), (fd, length))
FAILING(int, fsync, "sync", (int fd), (fd))
FAILING(int, fdatasync, "sync", (int fd), (fd))
