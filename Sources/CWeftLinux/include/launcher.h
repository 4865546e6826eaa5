#pragma once
#include <stddef.h>
#include <sys/types.h>

/// Runs a hidden subcommand of the node when `argv[1]` names one (`pause`, `launch`, `exec`), and does not return then.
/// Must be called before any thread exists. Returns when the arguments name something else.
void weft_launcher_main(int argc, char **argv);

/// Moves the calling process into a new network namespace with its loopback up. Call before any thread exists.
/// Returns 0, or a negative errno.
int weft_enter_new_network(void);

/// Starts `path` with `arguments` (NULL-terminated). Descriptor `descriptors[i]` becomes descriptor `i` of the child
/// (-1: /dev/null); every other descriptor is closed by the launcher. The child gets its own session and default signals.
/// Returns the process id, or a negative errno.
pid_t weft_spawn(const char *path, char *const arguments[], const int *descriptors, size_t count);

/// Runs a command found on PATH with `input` as its standard input and waits. Up to `capacity` bytes of its output and
/// errors go to `output`, their number to `length`. Returns the exit status, 128 + signal, or a negative errno.
int weft_run(char *const arguments[], const void *input, size_t input_length, char *output, size_t capacity,
             size_t *length);

/// Waits for the end of a child. Returns its exit status, 128 + signal, or a negative errno.
int weft_wait(pid_t pid);

/// Opens a pseudo terminal. Returns 0, or a negative errno.
int weft_open_terminal(int *controller, int *terminal);
int weft_set_terminal_size(int controller, unsigned short columns, unsigned short rows);

/// A pipe whose ends are closed on exec: `ends[0]` reads, `ends[1]` writes. Returns 0, or a negative errno.
int weft_pipe(int ends[2]);

/// A listening TCP socket, closed on exec. Returns the descriptor, or a negative errno.
int weft_listen_loopback(unsigned short port);
