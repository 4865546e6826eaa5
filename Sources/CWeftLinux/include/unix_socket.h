#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A listening Unix socket. A path that begins with `@` is in the abstract namespace; a file that is left over at
/// another path is replaced, and `mode` (0: leave as it is) becomes the new file's. `packets` keeps message boundaries.
/// Returns the descriptor, or a negative errno.
int weft_listen_unix(const char *path, uint32_t mode, int backlog, int packets);

/// Connects to a socket of `weft_listen_unix` with `packets`. Returns the descriptor, or a negative errno.
int weft_connect_unix(const char *path);

/// The user at the other end of a Unix socket, or a negative errno.
int64_t weft_peer_user(int descriptor);

/// Sends one message with descriptors. Returns 0, or a negative errno.
int weft_send_descriptors(int socket, const void *bytes, size_t length, const int *descriptors, size_t count);

/// Receives one message; `count` is the room for descriptors and then how many came, which are the caller's and do not
/// survive exec. Waits at most `milliseconds`. Returns the message's length, 0 at the end, or a negative errno.
ssize_t weft_receive_descriptors(
    int socket, void *bytes, size_t capacity, int *descriptors, size_t *count, int milliseconds);
