#pragma once
#include <stdint.h>

/// What tells one state of a file from another: device, inode, size, seconds and nanoseconds of its last change.
/// Follows links. Returns 0, or a negative errno.
int weft_file_state(const char *path, int64_t state[5]);
