// Streams of zlib behind an opaque type: Swift cannot see zlib's macros, and needs nothing else of it.
#ifndef CWEFTZLIB_H
#define CWEFTZLIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct weft_zlib weft_zlib;

/// What one call did.
typedef struct {
    size_t consumed;
    size_t produced;
    /// The stream is complete: nothing more is taken.
    bool ended;
    /// The input is no such stream, or memory is out.
    bool failed;
} weft_zlib_step;

/// A stream that writes gzip; NULL when memory is out. `window_bits` is 9 to 15.
weft_zlib *weft_zlib_deflater(int level, int window_bits, int memory_level, int strategy);
/// A stream that reads gzip; NULL when memory is out.
weft_zlib *weft_zlib_inflater(int window_bits);
void weft_zlib_free(weft_zlib *stream);

/// `finish` ends the stream; otherwise everything taken so far becomes readable for the other side (`Z_SYNC_FLUSH`).
/// Call again while `produced` equals `room`.
weft_zlib_step weft_zlib_deflate(
    weft_zlib *stream, const uint8_t *input, size_t count, uint8_t *output, size_t room, bool finish);
/// Call again while `produced` equals `room` or input is left.
weft_zlib_step weft_zlib_inflate(
    weft_zlib *stream, const uint8_t *input, size_t count, uint8_t *output, size_t room);

#endif
