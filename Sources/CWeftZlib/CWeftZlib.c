#include "CWeftZlib.h"

#include <stdlib.h>
#include <zlib.h>

struct weft_zlib {
    z_stream stream;
    bool deflates;
};

// zlib's way to ask for gzip in place of its own format.
static const int gzip_format = 16;

weft_zlib *weft_zlib_deflater(int level, int window_bits, int memory_level, int strategy) {
    weft_zlib *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    made->deflates = true;
    if (deflateInit2(&made->stream, level, Z_DEFLATED, window_bits + gzip_format, memory_level, strategy) != Z_OK) {
        free(made);
        return NULL;
    }
    return made;
}

weft_zlib *weft_zlib_inflater(int window_bits) {
    weft_zlib *made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    if (inflateInit2(&made->stream, window_bits + gzip_format) != Z_OK) {
        free(made);
        return NULL;
    }
    return made;
}

void weft_zlib_free(weft_zlib *stream) {
    if (stream == NULL) return;
    if (stream->deflates) deflateEnd(&stream->stream); else inflateEnd(&stream->stream);
    free(stream);
}

static weft_zlib_step run(
    weft_zlib *stream, const uint8_t *input, size_t count, uint8_t *output, size_t room, int flush) {
    // zlib counts in 32 bits; callers hand over less.
    stream->stream.next_in = (Bytef *)input;
    stream->stream.avail_in = (uInt)count;
    stream->stream.next_out = output;
    stream->stream.avail_out = (uInt)room;
    int result = stream->deflates ? deflate(&stream->stream, flush) : inflate(&stream->stream, flush);
    weft_zlib_step step = {
        .consumed = count - stream->stream.avail_in,
        .produced = room - stream->stream.avail_out,
        .ended = result == Z_STREAM_END,
        // Z_BUF_ERROR says that there was nothing to do.
        .failed = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR,
    };
    return step;
}

weft_zlib_step weft_zlib_deflate(
    weft_zlib *stream, const uint8_t *input, size_t count, uint8_t *output, size_t room, bool finish) {
    return run(stream, input, count, output, room, finish ? Z_FINISH : Z_SYNC_FLUSH);
}

weft_zlib_step weft_zlib_inflate(
    weft_zlib *stream, const uint8_t *input, size_t count, uint8_t *output, size_t room) {
    return run(stream, input, count, output, room, Z_NO_FLUSH);
}
