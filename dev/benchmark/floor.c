// The bare forwarder: what the kernel asks of any proxy on sockets, and nothing else.
//
//   floor LISTEN_PORT UPSTREAM_PORT
//
// One thread, one epoll set, one upstream connection for each client on 127.0.0.1. What one side brings is read once and
// written to the other side at once: two reads and two writes per request, and one epoll_wait for all that is ready. It
// parses nothing, decides nothing and counts nothing, so its CPU per request is the least that a proxy which moves bytes
// through its own memory can need on this machine. It is a measuring device: its peers read what they are sent, so a
// write that the kernel does not take whole ends it.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { descriptors = 1 << 16, batch = 256 };

/// The other end of each descriptor's connection.
static int partner[descriptors];
static char bytes[64 << 10];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in address(int port) {
    return (struct sockaddr_in) {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listening(int port) {
    struct sockaddr_in own = address(port);
    int yes = 1, made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (made < 0) fail("socket");
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(made, (struct sockaddr *)&own, sizeof own) || listen(made, 4096)) fail("listen");
    return made;
}

static void watch(int set, int descriptor) {
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = descriptor};
    if (epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &wanted)) fail("epoll_ctl");
}

static void admit(int set, int listener, int upstream) {
    struct sockaddr_in far = address(upstream);
    int yes = 1, client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (client < 0) return;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || server >= descriptors || client >= descriptors) fail("socket");
    if (connect(server, (struct sockaddr *)&far, sizeof far)) fail("connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    partner[client] = server;
    partner[server] = client;
    watch(set, client);
    watch(set, server);
}

static void part(int one) {
    int other = partner[one];
    // Its events of this round must find nothing.
    partner[one] = partner[other] = 0;
    close(one);
    close(other);
}

static void forward(int from) {
    int to = partner[from];
    if (!to) return;
    ssize_t count = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return part(from);
    if (send(to, bytes, (size_t)count, MSG_NOSIGNAL) != count) part(from);
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: floor LISTEN_PORT UPSTREAM_PORT\n");
        return 2;
    }
    int upstream = atoi(arguments[2]), listener = listening(atoi(arguments[1])), set = epoll_create1(0);
    if (set < 0) fail("epoll_create1");
    watch(set, listener);
    struct epoll_event ready[batch];
    for (;;) {
        int found = epoll_wait(set, ready, batch, -1);
        if (found < 0 && errno != EINTR) fail("epoll_wait");
        for (int index = 0; index < found; index++) {
            if (ready[index].data.fd == listener) {
                admit(set, listener, upstream);
            } else {
                forward(ready[index].data.fd);
            }
        }
    }
}
