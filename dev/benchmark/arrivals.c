// Requests that arrive as those of many independent users do: at random, whether or not earlier ones were answered.
//
//   arrivals PORT SECONDS RATE CONNECTIONS SEED
//
// Sends HTTP/1.1 GET requests to 127.0.0.1:PORT over so many keep-alive connections, at RATE a second on average with
// exponentially distributed gaps (a Poisson process; the same seed gives the same gaps). A request takes the connection
// that has rested longest; when all are busy it waits for one, and its waiting counts: latency runs from the moment the
// request was due to the last byte of its answer, so a proxy that stalls cannot hide that by slowing the load down.
// Prints "DONE FAILED" and then every latency in microseconds, one in a line. One thread; sleeps between arrivals.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { most_connections = 4096, most_waiting = 1 << 20, answer_size = 4096, batch = 256 };

struct connection {
    int descriptor;
    double due;
    size_t filled;
    char answer[answer_size];
};

static struct connection connections[most_connections];
/// Rings: connections that rest, and the moments of requests that found none.
static int resting[most_connections];
static unsigned resting_head, resting_tail;
static double waiting[most_waiting];
static unsigned waiting_head, waiting_tail;
static uint32_t *latencies;
static size_t done, room;
static long failed;
static uint64_t state;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/// xorshift64*, in (0, 1].
static double uniform(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (double)(((state * 0x2545F4914F6CDD1DULL) >> 11) + 1) / (double)(1ULL << 53);
}

static void begin(int index, double due) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
    struct connection *one = &connections[index];
    one->due = due;
    one->filled = 0;
    if (send(one->descriptor, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1) fail("send");
}

/// The length of the whole answer, or 0 while its head is not there.
static size_t length(struct connection *one) {
    one->answer[one->filled] = 0;
    char *end = strstr(one->answer, "\r\n\r\n");
    if (!end) return 0;
    char *field = strcasestr(one->answer, "\r\ncontent-length:");
    if (!field || field > end) {
        fprintf(stderr, "answers without Content-Length cannot be measured: %.200s\n", one->answer);
        exit(1);
    }
    return (size_t)(end + 4 - one->answer) + (size_t)atol(field + 17);
}

static void take(int index) {
    struct connection *one = &connections[index];
    ssize_t count = recv(one->descriptor, one->answer + one->filled, answer_size - 1 - one->filled, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail("recv");
    one->filled += (size_t)count;
    size_t whole = length(one);
    if (!whole || one->filled < whole) return;
    if (strncmp(one->answer, "HTTP/1.1 200", 12)) failed++;
    if (done == room) fail("more answers than requests");
    latencies[done++] = (uint32_t)(now() - one->due);
    if (waiting_head != waiting_tail) {
        begin(index, waiting[waiting_head++ % most_waiting]);
    } else {
        resting[resting_tail++ % most_connections] = index;
    }
}

static void arrive(double due) {
    if (resting_head != resting_tail) {
        begin(resting[resting_head++ % most_connections], due);
    } else {
        if (waiting_tail - waiting_head == most_waiting) {
            fprintf(stderr, "a million requests wait: the rate is above what the proxy can do\n");
            exit(1);
        }
        waiting[waiting_tail++ % most_waiting] = due;
    }
}

static int ready(int set, struct epoll_event *found, double until) {
    double rest = until - now();
    if (rest < 0) rest = 0;
    struct timespec time = {.tv_sec = (time_t)(rest / 1e6), .tv_nsec = (long)(fmod(rest, 1e6) * 1e3)};
    int count = epoll_pwait2(set, found, batch, &time, NULL);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2");
    return count < 0 ? 0 : count;
}

static void open_connections(int set, int port, int count) {
    struct sockaddr_in far = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    for (int index = 0; index < count; index++) {
        int made = socket(AF_INET, SOCK_STREAM, 0);
        if (made < 0 || connect(made, (struct sockaddr *)&far, sizeof far)) fail("connect");
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connections[index].descriptor = made;
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
        if (epoll_ctl(set, EPOLL_CTL_ADD, made, &wanted)) fail("epoll_ctl");
        resting[resting_tail++ % most_connections] = index;
    }
}

int main(int count, char **arguments) {
    if (count != 6) {
        fprintf(stderr, "usage: arrivals PORT SECONDS RATE CONNECTIONS SEED\n");
        return 2;
    }
    double seconds = atof(arguments[2]), rate = atof(arguments[3]);
    int many = atoi(arguments[4]), set = epoll_create1(0);
    if (many < 1 || many > most_connections || seconds <= 0 || rate <= 0 || set < 0) fail("arguments");
    state = strtoull(arguments[5], NULL, 10) * 2 + 1;
    room = (size_t)(seconds * rate * 2) + 1000;
    latencies = malloc(room * sizeof *latencies);
    if (!latencies) fail("malloc");
    prctl(PR_SET_TIMERSLACK, 1);
    open_connections(set, atoi(arguments[1]), many);
    struct epoll_event found[batch];
    double start = now(), end = start + seconds * 1e6, next = start;
    size_t sent = 0;
    while (next < end || done < sent) {
        for (double current = now(); next <= current && next < end; next -= log(uniform()) * 1e6 / rate) {
            arrive(next);
            sent++;
        }
        if (next >= end && now() > end + 10e6) fail("answers missing after ten seconds");
        int fresh = ready(set, found, next < end ? next : now() + 1e5);
        for (int index = 0; index < fresh; index++) take((int)found[index].data.u32);
    }
    printf("%zu %ld\n", done, failed);
    for (size_t index = 0; index < done; index++) printf("%u\n", latencies[index]);
}
