/// A parser that takes bytes from strangers, with what must hold whatever they are. It must not trap either.
package struct FuzzTarget: Sendable {
    package var name: String
    /// Inputs to start from; `Tests/FuzzTests/Corpus/NAME/` holds more.
    package var seeds: [[UInt8]]
    /// Byte sequences that are worth inserting.
    package var words: [String]
    /// - Returns: which property the input broke; `nil` when all hold.
    package var check: @Sendable ([UInt8]) -> String?

    package static let all = [
        http1Request, http1Response, chunked, http1Relay, http2, http2Client, http2Relay, hpack, clientHello, path,
        regex, rewrite, jwt, jwks, xds, bootstrap, promql, exposition, otlp, otlpJSON, zipkin, snappy,
    ]
    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
