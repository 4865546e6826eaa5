// The bare forwarder: what the kernel asks of any proxy on sockets, and nothing else.
//
//   floor LISTEN_PORT UPSTREAM_PORT [terminate|originate FOLDER]
//
// One thread, one epoll set, one upstream connection for each client on 127.0.0.1. What one side brings is read once and
// written to the other side at once: two reads and two writes per request, and one epoll_wait for all that is ready. It
// parses nothing, decides nothing and counts nothing, so its CPU per request is the least that a proxy which moves bytes
// through its own memory can need on this machine. It is a measuring device: its peers read what they are sent, so a
// write that the kernel does not take whole ends it.
//
// With `terminate` the clients, with `originate` the upstream speak TLS 1.3 with certificates on both sides, checked
// against FOLDER/ca.crt (own: server.crt and server.key, client.crt and client.key), by OpenSSL: what two sidecars need
// at least that do nothing but encrypt.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { descriptors = 1 << 16, batch = 256 };

/// The other end of each descriptor's connection.
static int partner[descriptors];
/// The TLS of each descriptor's connection; NULL without.
static SSL *secured[descriptors];
/// What each accepted and each upstream connection begins with; NULL for plain TCP.
static SSL_CTX *of_clients, *of_upstream;
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

static SSL_CTX *identity(const char *folder, const char *own, const SSL_METHOD *method) {
    char authority[512], certificate[512], key[512];
    snprintf(authority, sizeof authority, "%s/ca.crt", folder);
    snprintf(certificate, sizeof certificate, "%s/%s.crt", folder, own);
    snprintf(key, sizeof key, "%s/%s.key", folder, own);
    SSL_CTX *made = SSL_CTX_new(method);
    if (!made || SSL_CTX_use_certificate_chain_file(made, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1
        || SSL_CTX_load_verify_locations(made, authority, NULL) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION);
    // One system call for a record instead of one for its head and one for the rest.
    SSL_CTX_set_read_ahead(made, 1);
    return made;
}

/// The handshake, while everything else waits: connections are opened before anything is measured. The descriptor does
/// not block from then on.
static int secure(int descriptor, SSL_CTX *with, int (*handshake)(SSL *)) {
    if (!with) return fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0;
    SSL *made = SSL_new(with);
    if (!made || SSL_set_fd(made, descriptor) != 1) fail("SSL_new");
    if (handshake(made) != 1) {
        SSL_free(made);
        return 0;
    }
    secured[descriptor] = made;
    return fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0;
}

static void admit(int set, int listener, int upstream) {
    struct sockaddr_in far = address(upstream);
    int yes = 1, client = accept4(listener, NULL, NULL, 0);
    if (client < 0) return;
    if (client >= descriptors || !secure(client, of_clients, SSL_accept)) {
        close(client);
        return;
    }
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || server >= descriptors) fail("socket");
    if (connect(server, (struct sockaddr *)&far, sizeof far)) fail("connect");
    if (!secure(server, of_upstream, SSL_connect)) {
        fprintf(stderr, "no handshake with the upstream on port %d\n", upstream);
        exit(1);
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    partner[client] = server;
    partner[server] = client;
    watch(set, client);
    watch(set, server);
}

static void end(int descriptor) {
    SSL_free(secured[descriptor]);
    secured[descriptor] = NULL;
    close(descriptor);
}

static void part(int one) {
    int other = partner[one];
    // Its events of this round must find nothing.
    partner[one] = partner[other] = 0;
    end(one);
    end(other);
}

static void forward(int from) {
    int to = partner[from];
    if (!to) return;
    ssize_t count;
    if (secured[from]) {
        count = SSL_read(secured[from], bytes, sizeof bytes);
        if (count <= 0 && SSL_get_error(secured[from], (int)count) == SSL_ERROR_WANT_READ) return;
    } else {
        count = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) return;
    }
    if (count <= 0) return part(from);
    ssize_t sent = secured[to] ? SSL_write(secured[to], bytes, (int)count)
                               : send(to, bytes, (size_t)count, MSG_NOSIGNAL);
    if (sent != count) part(from);
}

static void usage(void) {
    fprintf(stderr, "usage: floor LISTEN_PORT UPSTREAM_PORT [terminate|originate FOLDER]\n");
    exit(2);
}

int main(int count, char **arguments) {
    if (count != 3 && count != 5) usage();
    if (count == 5 && !strcmp(arguments[3], "terminate")) {
        of_clients = identity(arguments[4], "server", TLS_server_method());
    } else if (count == 5 && !strcmp(arguments[3], "originate")) {
        of_upstream = identity(arguments[4], "client", TLS_client_method());
    } else if (count == 5) {
        usage();
    }
    signal(SIGPIPE, SIG_IGN);
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
