import WeftProto

extension Core.ConfigSource {
    /// - Parameter file: `nil` is the ADS stream.
    init(file: String?) {
        self.init()
        if let file { pathConfigSource.path = file } else { ads = .init() }
        resourceApiVersion = .v3
    }

    /// The file that a resource comes from; `nil` for the ADS stream, which is also what an absent source means.
    /// - Throws: For servers of their own.
    func file(_ reader: WireReader) throws -> String? {
        switch configSourceSpecifier {
        case .ads, .self_p, nil: return nil
        case .path(let path): return try Self.checked(path, reader)
        case .pathConfigSource(let source): return try Self.checked(source.path, reader)
        case .apiConfigSource: throw reader.error("api_config_source is not supported; use ads or path_config_source")
        }
    }

    private static func checked(_ path: String, _ reader: WireReader) throws -> String {
        if path.isEmpty { throw reader.error("path_config_source has no path") }
        return path
    }
}
