#define _GNU_SOURCE
#include "original_destination.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define WEFT_SO_ORIGINAL_DST 80

int weft_original_destination(int descriptor, struct sockaddr_storage *address, socklen_t *length) {
    memset(address, 0, sizeof(*address));
    *length = sizeof(struct sockaddr_in);
    if (getsockopt(descriptor, IPPROTO_IP, WEFT_SO_ORIGINAL_DST, address, length) == 0) return 0;
    *length = sizeof(struct sockaddr_in6);
    if (getsockopt(descriptor, IPPROTO_IPV6, WEFT_SO_ORIGINAL_DST, address, length) == 0) return 0;
    return -errno;
}

static int fail(int descriptor) {
    int code = errno;
    close(descriptor);
    return -code;
}

static int set_options(int descriptor, const weft_socket_option *options, size_t count, int when) {
    for (size_t i = 0; i < count; i++) {
        if (options[i].when != when) continue;
        if (setsockopt(descriptor, options[i].level, options[i].name, options[i].value, options[i].length) != 0) return 0;
    }
    return 1;
}

int weft_listen_reuse_port(
    const char *host, uint16_t port, int backlog, const weft_socket_option *options, size_t count) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) return -EINVAL;
    int descriptor = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return fail(descriptor);
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) return fail(descriptor);
    struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t length = is_v4 ? sizeof(v4) : sizeof(v6);
    if (!set_options(descriptor, options, count, 0)) return fail(descriptor);
    if (bind(descriptor, address, length) != 0) return fail(descriptor);
    if (!set_options(descriptor, options, count, 1)) return fail(descriptor);
    if (listen(descriptor, backlog) != 0) return fail(descriptor);
    if (!set_options(descriptor, options, count, 2)) return fail(descriptor);
    return descriptor;
}

int weft_local_port(int descriptor) {
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return -errno;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -EAFNOSUPPORT;
}
