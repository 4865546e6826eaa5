#pragma once
#include <stdint.h>
#include <time.h>

/// Milliseconds since 1970-01-01T00:00:00Z by the system's wall clock (CLOCK_REALTIME); may step.
static inline int64_t weft_wall_clock_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
