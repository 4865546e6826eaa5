// The single-threaded part of the node: everything between posix_spawn and the container's execve, which a process with
// threads cannot do safely. Descriptors by convention: 0-2 the container's, 3 liveness (readable end of a pipe that the
// node holds open: end of file means the node is gone), 4 status (lines to the node), 5... inherited listening sockets.
#define _GNU_SOURCE
#include "launcher.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
enum { LIVENESS = 3, STATUS = 4, FIRST_INHERITED = 5, MAXIMUM = 512 };
enum { BIND_FLAG = 4096, REC_FLAG = 16384, PRIVATE_FLAG = 1 << 18, DETACH_FLAG = 2 };

// MARK: - Talking to the node

static void report(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length < 0) return;
    if (length > (int)sizeof line - 2) length = sizeof line - 2;
    line[length] = '\n';
    if (write(STATUS, line, (size_t)length + 1) < 0) return;
}

static _Noreturn void fail(const char *what, const char *detail) {
    report("error %s%s%s: %s", what, detail ? " " : "", detail ? detail : "", strerror(errno));
    _exit(128);
}

// MARK: - Specification

typedef struct {
    char *keys[MAXIMUM], *values[MAXIMUM];
    size_t count;
} Spec;

/// A specification is a file of records `key=value`, each ended by a NUL.
static void read_spec(Spec *spec, const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (file < 0 || fstat(file, &info) < 0) fail("cannot open", path);
    char *text = malloc((size_t)info.st_size + 1);
    if (!text) fail("cannot read", path);
    ssize_t size = 0, got;
    while (size < info.st_size && (got = read(file, text + size, (size_t)(info.st_size - size))) > 0) size += got;
    text[size] = 0;
    close(file);
    for (char *at = text; at < text + size && spec->count < MAXIMUM; at += strlen(at) + 1) {
        char *separator = strchr(at, '=');
        if (!separator) continue;
        *separator = 0;
        spec->keys[spec->count] = at;
        spec->values[spec->count++] = separator + 1;
        at = separator + 1;
    }
}

static const char *value(const Spec *spec, const char *key) {
    for (size_t i = 0; i < spec->count; i++)
        if (!strcmp(spec->keys[i], key)) return spec->values[i];
    return NULL;
}

static long number(const Spec *spec, const char *key, long fallback) {
    const char *text = value(spec, key);
    return text ? strtol(text, NULL, 0) : fallback;
}

static size_t values(const Spec *spec, const char *key, char **into, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < spec->count && count + 1 < capacity; i++)
        if (!strcmp(spec->keys[i], key)) into[count++] = spec->values[i];
    into[count] = NULL;
    return count;
}

// MARK: - Namespaces

static int write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    ssize_t written = write(file, text, strlen(text));
    int result = written < 0 ? -errno : 0;
    close(file);
    return result;
}

static int interface_up(const char *name) {
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    int result = ioctl(s, SIOCGIFFLAGS, &request);
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (result == 0) result = ioctl(s, SIOCSIFFLAGS, &request);
    result = result < 0 ? -errno : 0;
    close(s);
    return result;
}

int weft_enter_new_network(void) {
    if (unshare(CLONE_NEWNET) < 0) return -errno;
    return interface_up("lo");
}

static void set_address(struct sockaddr *address, const char *text) {
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    in->sin_family = AF_INET;
    inet_pton(AF_INET, text, &in->sin_addr);
}

static int add_route(int s, const char *target, const char *mask, const char *gateway) {
    struct rtentry route = {0};
    set_address(&route.rt_dst, target);
    set_address(&route.rt_genmask, mask);
    set_address(&route.rt_gateway, gateway ? gateway : "0.0.0.0");
    route.rt_flags = RTF_UP | (gateway ? RTF_GATEWAY : RTF_HOST);
    route.rt_dev = "eth0";
    return ioctl(s, SIOCADDRT, &route) < 0 ? -errno : 0;
}

/// Gives the pod's end of the cable its /32 address and sends everything to the node.
static int configure_interface(const char *address, const char *gateway) {
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "eth0");
    set_address(&request.ifr_addr, address);
    int result = ioctl(s, SIOCSIFADDR, &request) < 0 ? -errno : 0;
    set_address(&request.ifr_netmask, "255.255.255.255");
    if (!result && ioctl(s, SIOCSIFNETMASK, &request) < 0) result = -errno;
    if (!result) result = interface_up("eth0");
    if (!result) result = add_route(s, gateway, "255.255.255.255", NULL);
    if (!result) result = add_route(s, "0.0.0.0", "0.0.0.0", gateway);
    close(s);
    return result;
}

/// `pause SPEC`: holds a pod's network, host name and IPC namespaces until the node lets go of the liveness pipe.
static _Noreturn void pause_main(const Spec *spec) {
    const char *name = value(spec, "hostname");
    if (unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) < 0) fail("cannot create the pod's namespaces", NULL);
    if (name && sethostname(name, strlen(name)) < 0) fail("cannot set the host name", name);
    errno = -interface_up("lo");
    if (errno) fail("cannot bring the loopback up", NULL);
    write_text("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    write_text("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    write_text("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
    write_text("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
    report("ready");
    char go;
    if (read(0, &go, 1) != 1) _exit(0);
    errno = -configure_interface(value(spec, "address"), value(spec, "gateway"));
    if (errno) fail("cannot configure the pod's interface", value(spec, "address"));
    report("up");
    signal(SIGTERM, SIG_DFL);
    while (read(LIVENESS, &go, 1) > 0 || errno == EINTR) {}
    _exit(0);
}

static void join_namespace(const char *process, const char *kind, int flag) {
    char path[128];
    snprintf(path, sizeof path, "/proc/%s/ns/%s", process, kind);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || setns(file, flag) < 0) fail("cannot join", path);
    close(file);
}

// MARK: - File system

static void make_parents(char *path) {
    for (char *at = path + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        mkdir(path, 0755);
        *at = '/';
    }
}

static void make_target(const char *target, bool directory) {
    char path[4096];
    snprintf(path, sizeof path, "%s", target);
    make_parents(path);
    if (directory) {
        mkdir(path, 0755);
    } else {
        int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        if (file >= 0) close(file);
    }
}

typedef struct {
    int tree;
    bool directory;
    char target[4096];
} Mount;

static int clone_tree(const char *source, bool recursive) {
    return (int)syscall(SYS_open_tree, AT_FDCWD, source,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
}

static void set_read_only(int tree) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes);
}

static bool attach(const Mount *mount) {
    make_target(mount->target, mount->directory);
    bool done = syscall(SYS_move_mount, mount->tree, "", AT_FDCWD, mount->target,
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0;
    close(mount->tree);
    return done;
}

/// The host's own mounts below `/` (but not /proc, /run and /tmp), cloned so that they can be seen in the new root.
static size_t clone_host_mounts(Mount *mounts, size_t capacity) {
    FILE *table = fopen("/proc/self/mountinfo", "re");
    char line[8192], points[128][512];
    int ids[128], parents[128], root = -1;
    size_t rows = 0, count = 0;
    while (table && rows < 128 && fgets(line, sizeof line, table)) {
        if (sscanf(line, "%d %d %*s %*s %511s", &ids[rows], &parents[rows], points[rows]) != 3) continue;
        if (!strcmp(points[rows], "/")) root = ids[rows];
        rows++;
    }
    if (table) fclose(table);
    for (size_t i = 0; i < rows && count < capacity; i++) {
        const char *point = points[i];
        if (parents[i] != root || !strcmp(point, "/") || !strcmp(point, "/proc") || !strcmp(point, "/run")
            || !strcmp(point, "/tmp"))
            continue;
        struct stat info;
        if (stat(point, &info) < 0) continue;
        Mount *mount = &mounts[count];
        mount->tree = clone_tree(point, true);
        if (mount->tree < 0) continue;
        if (strcmp(point, "/dev")) set_read_only(mount->tree);
        mount->directory = S_ISDIR(info.st_mode);
        snprintf(mount->target, sizeof mount->target, "%s", point);
        count++;
    }
    return count;
}

/// `bind=SOURCE<tab>TARGET<tab>ro|rw`
static void clone_bind(Mount *mount, char *text) {
    char *target = strchr(text, '\t');
    if (!target) { errno = EINVAL; fail("malformed mount", text); }
    *target++ = 0;
    char *mode = strchr(target, '\t');
    if (mode) *mode++ = 0;
    struct stat info;
    if (stat(text, &info) < 0 || (mount->tree = clone_tree(text, true)) < 0) fail("cannot mount", text);
    mount->directory = S_ISDIR(info.st_mode);
    if (mode && !strcmp(mode, "ro")) set_read_only(mount->tree);
    snprintf(mount->target, sizeof mount->target, "%s", target);
}

static void enter_overlay(const char *scratch) {
    char options[4096], path[1024];
    if (mount("tmpfs", scratch, "tmpfs", 0, "mode=0755") < 0) fail("cannot mount a tmpfs on", scratch);
    const char *parts[] = {"upper", "work", "root"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, parts[i]);
        if (mkdir(path, 0755) < 0) fail("cannot create", path);
    }
    snprintf(options, sizeof options, "lowerdir=/,upperdir=%s/upper,workdir=%s/work", scratch, scratch);
    if (mount("overlay", path, "overlay", 0, options) < 0) fail("cannot mount an overlay on", path);
    if (chdir(path) < 0) fail("cannot enter", path);
    if (syscall(SYS_pivot_root, ".", ".") < 0) fail("cannot change the root to", path);
    if (umount2(".", DETACH_FLAG) < 0 || chdir("/") < 0) fail("cannot leave the host's root", NULL);
}

/// A private root: the host's files below, the container's own changes in memory, its volumes on top.
static void build_root(const Spec *spec) {
    static Mount host[64], own[128];
    char *binds[128], *masks[16];
    if (mount(NULL, "/", NULL, PRIVATE_FLAG | REC_FLAG, NULL) < 0) fail("cannot make the mounts private", NULL);
    size_t host_count = clone_host_mounts(host, 64);
    size_t bind_count = values(spec, "bind", binds, 128);
    for (size_t i = 0; i < bind_count; i++) clone_bind(&own[i], binds[i]);
    enter_overlay(value(spec, "root"));
    for (size_t i = 0; i < host_count; i++) attach(&host[i]);
    size_t mask_count = values(spec, "mask", masks, 16);
    for (size_t i = 0; i < mask_count; i++) mount("tmpfs", masks[i], "tmpfs", 1, "size=0,mode=0755");
    mkdir("/run", 0755);
    mkdir("/tmp", 01777);
    if (mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0) fail("cannot mount", "/run");
    if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") < 0) fail("cannot mount", "/tmp");
    mkdir("/run/lock", 01777);
    for (size_t i = 0; i < bind_count; i++)
        if (!attach(&own[i])) fail("cannot mount on", own[i].target);
}

// MARK: - The container's process

static void set_identity(const Spec *spec) {
    unsigned long long keep = strtoull(value(spec, "capabilities") ? value(spec, "capabilities") : "-1", NULL, 0);
    for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++)
        if (!(keep >> capability & 1)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    char *texts[64];
    gid_t groups[64];
    size_t count = values(spec, "group", texts, 64);
    for (size_t i = 0; i < count; i++) groups[i] = (gid_t)strtoul(texts[i], NULL, 10);
    if (setgroups(count, groups) < 0) fail("cannot set the groups", NULL);
    if (setgid((gid_t)number(spec, "gid", 0)) < 0) fail("cannot set the group", value(spec, "gid"));
    if (setuid((uid_t)number(spec, "uid", 0)) < 0) fail("cannot set the user", value(spec, "uid"));
    if (number(spec, "no_new_privs", 0)) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void take_terminal(void) {
    setsid();
    ioctl(0, TIOCSCTTY, 0);
}

static _Noreturn void execute(const Spec *spec) {
    static char *arguments[MAXIMUM], *environment[MAXIMUM];
    sigset_t none;
    sigemptyset(&none);
    for (int signal_number = 1; signal_number < 32; signal_number++) signal(signal_number, SIG_DFL);
    values(spec, "argument", arguments, MAXIMUM);
    values(spec, "environment", environment, MAXIMUM);
    const char *directory = value(spec, "directory");
    if (directory && chdir(directory) < 0) fail("cannot enter the working directory", directory);
    if (number(spec, "terminal", 0)) take_terminal(); else setpgid(0, 0);
    // The container may reopen its own output (/dev/stdout), whoever it runs as.
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (fchown(descriptor, (uid_t)number(spec, "uid", 0), (gid_t)-1) < 0) continue;
    set_identity(spec);
    if (value(spec, "join")) prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsigned inherited = (unsigned)number(spec, "inherited", 0);
    for (unsigned i = 0; i < inherited; i++) fcntl(FIRST_INHERITED + (int)i, F_SETFD, 0);
    fcntl(LIVENESS, F_SETFD, FD_CLOEXEC);
    fcntl(STATUS, F_SETFD, FD_CLOEXEC);
    environ = environment;
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!arguments[0]) { errno = EINVAL; fail("the container has no command", NULL); }
    execvpe(arguments[0], arguments, environment);
    bool missing = errno == ENOENT && !strchr(arguments[0], '/');
    // In the words of the runtimes that people know.
    const char *why = missing ? "executable file not found in $PATH"
        : errno == ENOENT ? "no such file or directory" : errno == EACCES ? "permission denied" : strerror(errno);
    int status = errno == ENOENT ? 127 : 126;
    report("error exec: \"%s\": %s", arguments[0], why);
    _exit(status);
}

static int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static int block_signals(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// Passes signals on to `child`, reaps, and returns how `child` ended. The end of the liveness pipe kills everything.
static int supervise(int signals, pid_t child, bool to_group) {
    struct pollfd watched[] = {{.fd = signals, .events = POLLIN}, {.fd = LIVENESS, .events = POLLIN}};
    for (;;) {
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
            if (ended == child) return exit_code(status);
        if (poll(watched, 2, -1) < 0 && errno != EINTR) return 128;
        if (watched[1].revents) {
            kill(child, SIGKILL);
            return 137;
        }
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo == SIGCHLD) continue;
            kill(to_group && info.ssi_signo == SIGKILL ? -child : child, (int)info.ssi_signo);
        }
    }
}

static void close_inherited(const Spec *spec) {
    long inherited = number(spec, "inherited", 0);
    for (long i = 0; i < inherited; i++) close(FIRST_INHERITED + (int)i);
}

/// The first process of the container's process namespace: starts the container's command and takes in its orphans.
static _Noreturn void init_main(const Spec *spec, int signals) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount("proc", "/proc", "proc", 0, NULL) < 0) fail("cannot mount", "/proc");
    pid_t child = fork();
    if (child < 0) fail("cannot fork", NULL);
    if (child == 0) execute(spec);
    for (int descriptor = 0; descriptor < 3; descriptor++) close(descriptor);
    close_inherited(spec);
    _exit(supervise(signals, child, false));
}

static void hold_nothing_else(const Spec *spec) {
    unsigned first = FIRST_INHERITED + (unsigned)number(spec, "inherited", 0);
    syscall(SYS_close_range, first, ~0U, 0);
}

/// `launch SPEC`: a container.
static _Noreturn void launch_main(const Spec *spec) {
    hold_nothing_else(spec);
    const char *sandbox = value(spec, "sandbox");
    if (sandbox) {
        join_namespace(sandbox, "net", CLONE_NEWNET);
        join_namespace(sandbox, "uts", CLONE_NEWUTS);
        join_namespace(sandbox, "ipc", CLONE_NEWIPC);
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0) fail("cannot create the container's namespaces", NULL);
    build_root(spec);
    int signals = block_signals();
    pid_t init = fork();
    if (init < 0) fail("cannot fork", NULL);
    if (init == 0) init_main(spec, signals);
    report("started %d", init);
    for (int descriptor = 0; descriptor < 3; descriptor++) close(descriptor);
    close_inherited(spec);
    int code = supervise(signals, init, false);
    report("exit %d", code);
    _exit(code);
}

/// `exec SPEC`: one more process in a running container.
static _Noreturn void exec_main(const Spec *spec) {
    hold_nothing_else(spec);
    const char *target = value(spec, "join");
    if (!target) { errno = EINVAL; fail("no container to join", NULL); }
    join_namespace(target, "net", CLONE_NEWNET);
    join_namespace(target, "uts", CLONE_NEWUTS);
    join_namespace(target, "ipc", CLONE_NEWIPC);
    join_namespace(target, "pid", CLONE_NEWPID);
    join_namespace(target, "mnt", CLONE_NEWNS);
    int signals = block_signals();
    pid_t child = fork();
    if (child < 0) fail("cannot fork", NULL);
    if (child == 0) execute(spec);
    report("started %d", child);
    for (int descriptor = 0; descriptor < 3; descriptor++) close(descriptor);
    int code = supervise(signals, child, true);
    report("exit %d", code);
    _exit(code);
}

void weft_launcher_main(int argc, char **argv) {
    if (argc != 3) return;
    bool is_pause = !strcmp(argv[1], "pause"), is_launch = !strcmp(argv[1], "launch");
    if (!is_pause && !is_launch && strcmp(argv[1], "exec")) return;
    static Spec spec;
    read_spec(&spec, argv[2]);
    if (is_pause) pause_main(&spec);
    if (is_launch) launch_main(&spec);
    exec_main(&spec);
}

// MARK: - Called by the node

int weft_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

pid_t weft_spawn(const char *path, char *const arguments[], const int *descriptors, size_t count) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int high[64];
    if (count > 64) return -E2BIG;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    for (size_t i = 0; i < count; i++) {
        // Above every target, so that no dup2 overwrites a source that is still to come.
        high[i] = descriptors[i] >= 0 ? fcntl(descriptors[i], F_DUPFD_CLOEXEC, 100) : open("/dev/null", O_RDWR | O_CLOEXEC);
        if (descriptors[i] < 0 && high[i] >= 0) {
            int moved = fcntl(high[i], F_DUPFD_CLOEXEC, 100);
            close(high[i]);
            high[i] = moved;
        }
        if (high[i] >= 0) posix_spawn_file_actions_adddup2(&actions, high[i], (int)i);
    }
    pid_t pid = -1;
    int error = posix_spawnp(&pid, path, &actions, &attributes, arguments, environ);
    for (size_t i = 0; i < count; i++)
        if (high[i] >= 0) close(high[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error ? -error : pid;
}

int weft_wait(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -errno;
    return exit_code(status);
}

int weft_run(char *const arguments[], const void *input, size_t input_length, char *output, size_t capacity,
             size_t *length) {
    int in = memfd_create("input", MFD_CLOEXEC), out = memfd_create("output", MFD_CLOEXEC);
    int result = in < 0 || out < 0 ? -errno : 0;
    for (size_t at = 0; !result && at < input_length;) {
        ssize_t written = write(in, (const char *)input + at, input_length - at);
        if (written < 0) result = -errno; else at += (size_t)written;
    }
    if (!result && lseek(in, 0, SEEK_SET) < 0) result = -errno;
    if (!result) {
        int descriptors[] = {in, out, out};
        pid_t pid = weft_spawn(arguments[0], arguments, descriptors, 3);
        result = pid < 0 ? pid : weft_wait(pid);
        ssize_t got = pread(out, output, capacity, 0);
        *length = got > 0 ? (size_t)got : 0;
    }
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    return result;
}

int weft_open_terminal(int *controller, int *terminal) {
    int opened = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[128];
    if (opened < 0) return -errno;
    if (grantpt(opened) < 0 || unlockpt(opened) < 0 || ptsname_r(opened, name, sizeof name)) {
        int error = errno;
        close(opened);
        return -error;
    }
    int other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other < 0) {
        int error = errno;
        close(opened);
        return -error;
    }
    *controller = opened;
    *terminal = other;
    return 0;
}

int weft_set_terminal_size(int controller, unsigned short columns, unsigned short rows) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(controller, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int weft_listen_loopback(unsigned short port) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0) return -errno;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&address, sizeof address) < 0 || listen(s, 1024) < 0) {
        int error = errno;
        close(s);
        return -error;
    }
    return s;
}
