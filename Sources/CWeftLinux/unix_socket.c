#define _GNU_SOURCE
#include "unix_socket.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 250

static int make_address(const char *path, struct sockaddr_un *address, socklen_t *length) {
    size_t size = strlen(path);
    memset(address, 0, sizeof(*address));
    if (size == 0 || size >= sizeof(address->sun_path)) return -ENAMETOOLONG;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    if (path[0] == '@') {
        address->sun_path[0] = 0;
        *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    }
    return 0;
}

static int fail(int descriptor) {
    int code = errno;
    close(descriptor);
    return -code;
}

/// Only a socket is removed: a path that names something else by mistake must not lose it.
static void remove_socket(const char *path) {
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path);
}

int weft_listen_unix(const char *path, uint32_t mode, int backlog, int packets) {
    struct sockaddr_un address;
    socklen_t length;
    int code = make_address(path, &address, &length);
    if (code != 0) return code;
    int type = packets ? SOCK_SEQPACKET : SOCK_STREAM;
    int descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC | (packets ? 0 : SOCK_NONBLOCK), 0);
    if (descriptor < 0) return -errno;
    if (path[0] != '@') remove_socket(path);
    if (bind(descriptor, (struct sockaddr *)&address, length) != 0) return fail(descriptor);
    if (mode != 0 && path[0] != '@' && chmod(path, mode) != 0) return fail(descriptor);
    if (listen(descriptor, backlog) != 0) return fail(descriptor);
    return descriptor;
}

int weft_connect_unix(const char *path) {
    struct sockaddr_un address;
    socklen_t length;
    int code = make_address(path, &address, &length);
    if (code != 0) return code;
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (connect(descriptor, (struct sockaddr *)&address, length) != 0) return fail(descriptor);
    return descriptor;
}

int64_t weft_peer_user(int descriptor) {
    struct ucred peer;
    socklen_t length = sizeof(peer);
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
    return peer.uid;
}

int weft_send_descriptors(int socket, const void *bytes, size_t length, const int *descriptors, size_t count) {
    if (count > MOST_DESCRIPTORS) return -E2BIG;
    union {
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent;
    do { sent = sendmsg(socket, &message, MSG_NOSIGNAL); } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/// Copies the descriptors of a message; what there is no room for is closed.
static size_t take_descriptors(struct msghdr *message, int *descriptors, size_t room) {
    size_t taken = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (taken < room) descriptors[taken++] = descriptor; else close(descriptor);
        }
    }
    return taken;
}

ssize_t weft_receive_descriptors(
    int socket, void *bytes, size_t capacity, int *descriptors, size_t *count, int milliseconds) {
    union {
        char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    size_t room = *count;
    *count = 0;
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    int ready;
    do { ready = poll(&waiting, 1, milliseconds); } while (ready < 0 && errno == EINTR);
    if (ready == 0) return -ETIMEDOUT;
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t length;
    do { length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC); } while (length < 0 && errno == EINTR);
    if (length < 0) return -errno;
    *count = take_descriptors(&message, descriptors, room);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return length;
    for (size_t i = 0; i < *count; i++) close(descriptors[i]);
    *count = 0;
    return -EMSGSIZE;
}
