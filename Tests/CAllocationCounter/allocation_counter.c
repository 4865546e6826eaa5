// Stands in for the C library's allocator in the test executable: counts per thread, and passes everything on.
// Only tests link it; the executables that users run do not.
#include "allocation_counter.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

// The initial-exec model needs no allocation when a thread first touches them.
static __thread uint64_t allocations __attribute__((tls_model("initial-exec")));
static __thread int64_t live __attribute__((tls_model("initial-exec")));

static void *counted(void *block) {
    if (block) {
        allocations += 1;
        live += (int64_t)malloc_usable_size(block);
    }
    return block;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

int posix_memalign(void **place, size_t alignment, size_t size) {
    void *block = counted(__libc_memalign(alignment, size));
    if (!block) return ENOMEM;
    *place = block;
    return 0;
}

void *realloc(void *block, size_t size) {
    int64_t before = block ? (int64_t)malloc_usable_size(block) : 0;
    void *moved = __libc_realloc(block, size);
    if (moved || size == 0) live -= before;
    return size == 0 ? moved : counted(moved);
}

void free(void *block) {
    if (block) live -= (int64_t)malloc_usable_size(block);
    __libc_free(block);
}

uint64_t weft_thread_allocations(void) { return allocations; }
int64_t weft_thread_live_bytes(void) { return live; }
