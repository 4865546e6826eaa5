#pragma once
#include <stdint.h>

/// Heap allocations that the calling thread has made since it began.
uint64_t weft_thread_allocations(void);

/// Usable bytes that the calling thread has allocated, less what it has freed. Blocks that one thread allocates and
/// another frees shift the balance between them.
int64_t weft_thread_live_bytes(void);
