import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireCompressor = Envoy_Extensions_Filters_Http_Compressor_V3_Compressor
typealias WireCompressorPerRoute = Envoy_Extensions_Filters_Http_Compressor_V3_CompressorPerRoute
typealias WireDecompressor = Envoy_Extensions_Filters_Http_Decompressor_V3_Decompressor
private typealias WireGzip = Envoy_Extensions_Compression_Gzip_Compressor_V3_Gzip
private typealias WireGunzip = Envoy_Extensions_Compression_Gzip_Decompressor_V3_Gzip

extension CompressorFilter {
    func wire() throws -> WireCompressor {
        var wire = WireCompressor()
        var library = Envoy_Config_Core_V3_TypedExtensionConfig()
        library.name = "gzip"
        library.typedConfig = try pack(gzip.wire())
        wire.compressorLibrary = library
        wire.responseDirectionConfig.commonConfig = response.wire()
        wire.responseDirectionConfig.disableOnEtagHeader = skipsResponsesWithETag
        wire.responseDirectionConfig.removeAcceptEncodingHeader = removesAcceptEncoding
        wire.responseDirectionConfig.uncompressibleResponseCodes = uncompressibleStatuses
        if let request { wire.requestDirectionConfig.commonConfig = request.wire() }
        return wire
    }

    init(_ wire: WireCompressor, _ reader: WireReader) throws {
        self.init()
        guard wire.hasCompressorLibrary else { throw reader.error("compressor_library is missing") }
        gzip = try reader.at("compressor_library") { try Gzip(wire.compressorLibrary, reader) }
        let direction = wire.responseDirectionConfig
        if wire.hasResponseDirectionConfig {
            response = Direction(direction.commonConfig, reader)
            skipsResponsesWithETag = direction.disableOnEtagHeader
            removesAcceptEncoding = direction.removeAcceptEncodingHeader
            uncompressibleStatuses = direction.uncompressibleResponseCodes
        } else {
            // The fields that stood here before there were two directions.
            if wire.hasContentLength { response.minimumLength = wire.contentLength.value }
            if !wire.contentType.isEmpty { response.contentTypes = wire.contentType }
            if wire.hasRuntimeEnabled {
                response.isEnabled = reader.runtime.flag(wire.runtimeEnabled, otherwise: response.isEnabled)
            }
            skipsResponsesWithETag = wire.disableOnEtagHeader
            removesAcceptEncoding = wire.removeAcceptEncodingHeader
        }
        if wire.hasRequestDirectionConfig { request = Direction(wire.requestDirectionConfig.commonConfig, reader) }
    }
}

extension CompressorFilter.Direction {
    fileprivate func wire() -> WireCompressor.CommonDirectionConfig {
        var wire = WireCompressor.CommonDirectionConfig()
        wire.enabled.defaultValue = .init(isEnabled)
        // Envoy demands a key; nothing is looked up by it here.
        wire.enabled.runtimeKey = "compressor.enabled"
        wire.minContentLength = .init(minimumLength)
        wire.contentType = contentTypes
        return wire
    }

    fileprivate init(_ wire: WireCompressor.CommonDirectionConfig, _ reader: WireReader) {
        self.init()
        if wire.hasEnabled { isEnabled = reader.runtime.flag(wire.enabled, otherwise: isEnabled) }
        if wire.hasMinContentLength { minimumLength = wire.minContentLength.value }
        if !wire.contentType.isEmpty { contentTypes = wire.contentType }
    }
}

extension CompressorFilter.Gzip {
    fileprivate func wire() -> WireGzip {
        var wire = WireGzip()
        wire.memoryLevel = .init(UInt32(memoryLevel))
        wire.windowBits = .init(UInt32(windowBits))
        wire.compressionLevel = level < 0 ? .defaultCompression : .init(rawValue: Int(level)) ?? .defaultCompression
        wire.compressionStrategy = .init(rawValue: Int(strategy)) ?? .defaultStrategy
        return wire
    }

    fileprivate init(_ library: Envoy_Config_Core_V3_TypedExtensionConfig, _ reader: WireReader) throws {
        guard library.typedConfig.holds(WireGzip.self) else {
            throw reader.error(
                "compressor \(library.name) (\(library.typedConfig.messageName)) is not supported; use gzip")
        }
        let wire = try reader.unpack(library.typedConfig, as: WireGzip.self)
        self.init()
        if wire.hasMemoryLevel { memoryLevel = try reader.number(wire.memoryLevel.value, 1...9, "memory_level") }
        if wire.hasWindowBits { windowBits = try reader.number(wire.windowBits.value, 9...15, "window_bits") }
        level = wire.compressionLevel == .defaultCompression ? -1 : Int32(clamping: wire.compressionLevel.rawValue)
        guard (-1...9).contains(level) else { throw reader.error("compression_level \(level) is out of range") }
        strategy = Int32(clamping: wire.compressionStrategy.rawValue)
        guard (0...4).contains(strategy) else { throw reader.error("compression_strategy \(strategy) is out of range") }
    }
}

extension WireReader {
    fileprivate func number(_ value: UInt32, _ range: ClosedRange<UInt32>, _ name: String) throws -> Int32 {
        guard range.contains(value) else {
            throw error("\(name) \(value) is out of range \(range.lowerBound) to \(range.upperBound)")
        }
        return Int32(value)
    }
}

extension CompressorOverrides {
    func wire() -> WireCompressorPerRoute {
        var wire = WireCompressorPerRoute()
        wire.overrides = .init()
        wire.overrides.responseDirectionConfig = .init()
        if let removesAcceptEncoding {
            wire.overrides.responseDirectionConfig.removeAcceptEncodingHeader = .init(removesAcceptEncoding)
        }
        return wire
    }
}

extension PerRouteFilter {
    init(_ wire: WireCompressorPerRoute, _ reader: WireReader) throws {
        switch wire.override {
        case .disabled: self = .disabled
        case .overrides(let overrides):
            guard !overrides.hasCompressorLibrary else {
                throw reader.error("overrides.compressor_library is not supported")
            }
            var result = CompressorOverrides()
            let direction = overrides.responseDirectionConfig
            if direction.hasRemoveAcceptEncodingHeader {
                result.removesAcceptEncoding = direction.removeAcceptEncodingHeader.value
            }
            self = .compressor(result)
        case nil: throw reader.error("override is missing")
        }
    }
}

extension DecompressorFilter {
    func wire() throws -> WireDecompressor {
        var wire = WireDecompressor()
        var gunzip = WireGunzip()
        gunzip.windowBits = .init(UInt32(windowBits))
        gunzip.maxInflateRatio = .init(maximumRatio)
        var library = Envoy_Config_Core_V3_TypedExtensionConfig()
        library.name = "gzip"
        library.typedConfig = try pack(gunzip)
        wire.decompressorLibrary = library
        wire.requestDirectionConfig.commonConfig = request.wire()
        wire.requestDirectionConfig.advertiseAcceptEncoding = .init(advertisesGzip)
        wire.responseDirectionConfig.commonConfig = response.wire()
        return wire
    }

    init(_ wire: WireDecompressor, _ reader: WireReader) throws {
        let library = wire.decompressorLibrary
        guard library.typedConfig.holds(WireGunzip.self) else {
            throw reader.error(
                "decompressor \(library.name) (\(library.typedConfig.messageName)) is not supported; use gzip")
        }
        let gunzip = try reader.unpack(library.typedConfig, as: WireGunzip.self)
        self.init()
        if gunzip.hasWindowBits { windowBits = try reader.number(gunzip.windowBits.value, 9...15, "window_bits") }
        if gunzip.hasMaxInflateRatio {
            maximumRatio = UInt32(try reader.number(gunzip.maxInflateRatio.value, 1...1032, "max_inflate_ratio"))
        }
        request = Direction(wire.requestDirectionConfig.commonConfig, reader)
        response = Direction(wire.responseDirectionConfig.commonConfig, reader)
        if wire.requestDirectionConfig.hasAdvertiseAcceptEncoding {
            advertisesGzip = wire.requestDirectionConfig.advertiseAcceptEncoding.value
        }
    }
}

extension DecompressorFilter.Direction {
    fileprivate func wire() -> WireDecompressor.CommonDirectionConfig {
        var wire = WireDecompressor.CommonDirectionConfig()
        wire.enabled.defaultValue = .init(isEnabled)
        wire.enabled.runtimeKey = "decompressor.enabled"
        wire.ignoreNoTransformHeader = ignoresNoTransform
        return wire
    }

    fileprivate init(_ wire: WireDecompressor.CommonDirectionConfig, _ reader: WireReader) {
        self.init()
        if wire.hasEnabled { isEnabled = reader.runtime.flag(wire.enabled, otherwise: isEnabled) }
        ignoresNoTransform = wire.ignoreNoTransformHeader
    }
}
