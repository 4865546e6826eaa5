/// Compresses bodies with gzip (`envoy.extensions.filters.http.compressor.v3.Compressor`).
package struct CompressorFilter: Sendable, Hashable, Codable {
    /// How zlib works; the values are zlib's own.
    package struct Gzip: Sendable, Hashable, Codable {
        /// -1 is zlib's default.
        package var level: Int32 = -1
        package var strategy: Int32 = 0
        package var windowBits: Int32 = 12
        package var memoryLevel: Int32 = 5
        package init() {}
    }
    /// Which bodies of one direction are compressed.
    package struct Direction: Sendable, Hashable, Codable {
        package var isEnabled = true
        /// Shorter bodies stay as they are.
        package var minimumLength: UInt32 = 30
        /// Content types, without parameters.
        package var contentTypes = Direction.usualTypes
        package init() {}

        package static let usualTypes = [
            "application/javascript", "application/json", "application/xhtml+xml", "image/svg+xml", "text/css",
            "text/html", "text/plain", "text/xml",
        ]
    }
    package var gzip = Gzip()
    package var response = Direction()
    /// `nil` leaves request bodies alone.
    package var request: Direction?
    /// Responses with a strong entity tag stay as they are; otherwise the tag is removed.
    package var skipsResponsesWithETag = false
    package var removesAcceptEncoding = false
    package var uncompressibleStatuses: [UInt32] = []

    package init() {}
}

/// What a route changes about compression (`CompressorPerRoute.overrides`).
package struct CompressorOverrides: Sendable, Hashable, Codable {
    package var removesAcceptEncoding: Bool?
    package init() {}
}

/// Undoes gzip (`envoy.extensions.filters.http.decompressor.v3.Decompressor`).
package struct DecompressorFilter: Sendable, Hashable, Codable {
    package struct Direction: Sendable, Hashable, Codable {
        package var isEnabled = true
        /// `Cache-Control: no-transform` is not obeyed.
        package var ignoresNoTransform = false
        package init() {}
    }
    package var windowBits: Int32 = 15
    /// Bytes that one compressed byte may become.
    package var maximumRatio: UInt32 = 100
    package var request = Direction()
    package var response = Direction()
    /// Tells upstreams that gzip is welcome.
    package var advertisesGzip = true

    package init() {}
}
