#pragma once
#include <stdint.h>
#include <sys/socket.h>
#include <stddef.h>

/// A socket option that somebody has configured, and when it is set: 0 before bind, 1 after it, 2 after listen.
typedef struct {
    int level;
    int name;
    const void *value;
    uint32_t length;
    int when;
} weft_socket_option;

/// The address that a redirected connection was made for, before NAT rewrote it (SO_ORIGINAL_DST).
/// Returns 0, or a negative errno.
int weft_original_destination(int descriptor, struct sockaddr_storage *address, socklen_t *length);

/// A listening TCP socket on `host:port` that shares its port with the other workers' sockets (SO_REUSEPORT).
/// `host` is a numeric address. Returns the descriptor, or a negative errno.
int weft_listen_reuse_port(
    const char *host, uint16_t port, int backlog, const weft_socket_option *options, size_t count);

/// The local address of a socket, for inherited descriptors. Returns the port, or a negative errno.
int weft_local_port(int descriptor);
