/// Why bytes are not HTTP/1. The connection is closed after the reply with ``status``.
package enum HTTP1ParseError: Error, Sendable, Hashable {
    case invalidRequestLine, invalidStatusLine, unsupportedVersion
    case invalidHeaderName, invalidHeaderValue, obsoleteFolding, bareLineFeed, bareCarriageReturn
    case missingHost, duplicateHost, invalidHost
    case contentLengthWithTransferEncoding, invalidContentLength, unsupportedTransferEncoding
    case invalidChunkSize, invalidChunkEnd
    case headersTooLarge, tooManyHeaders
    case unexpectedEnd
    /// 101 to a request that asked for no upgrade; more interim responses than anybody needs.
    case unexpectedUpgrade, tooManyInterimResponses

    /// The reply to a request that fails so.
    package var status: UInt16 {
        switch self {
        case .headersTooLarge, .tooManyHeaders: 431
        case .unsupportedVersion: 505
        case .unsupportedTransferEncoding: 501
        default: 400
        }
    }
    /// `response_code_details`.
    package var details: String { "http1.\(self)" }
}

/// Bounds of a head.
package struct HTTP1Limits: Sendable, Hashable {
    package var headBytes = 60 * 1024
    package var headerCount = 100
    package init(headBytes: Int = 60 * 1024, headerCount: Int = 100) {
        self.headBytes = headBytes
        self.headerCount = headerCount
    }
}
