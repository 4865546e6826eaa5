#define _GNU_SOURCE
#include "file_state.h"
#include <errno.h>
#include <sys/stat.h>

int weft_file_state(const char *path, int64_t state[5]) {
    struct stat info;
    if (stat(path, &info) != 0) return -errno;
    state[0] = (int64_t)info.st_dev;
    state[1] = (int64_t)info.st_ino;
    state[2] = (int64_t)info.st_size;
    state[3] = (int64_t)info.st_mtim.tv_sec;
    state[4] = (int64_t)info.st_mtim.tv_nsec;
    return 0;
}
