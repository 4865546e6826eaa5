import NIOCore
import WeftHTTP
import WeftIR
import WeftRouting
import WeftTransport

/// What compression keeps of one exchange. Loop-confined.
final class CompressionState {
    var engine: CompressionEngine?
    var accepted: String?
    var requestCompressor: GzipCompressor?
    var responseCompressor: GzipCompressor?
    var decompression: DecompressionEngine?
    var requestDecompressor: GzipDecompressor?
    var responseDecompressor: GzipDecompressor?
    /// More came out of the upstream's bytes than they may become, or they were no gzip.
    var isBroken = false
}

/// Compressing and decompressing bodies on their way.
extension Exchange {
    func compress(_ engine: CompressionEngine, _ name: String) {
        var overrides: CompressorOverrides?
        switch routeFilter(name) {
        case .compressor(let own)?: overrides = own
        case .disabled?: return
        default: break
        }
        let state = keptState().keptCompression()
        state.engine = engine
        state.accepted = engine.takeAccepted(&head, overrides)
        guard !requestEnded, !isUpgrade, engine.compressesRequest(&head) else { return }
        state.requestCompressor = GzipCompressor(engine.settings.gzip)
    }

    func decompress(_ engine: DecompressionEngine, _ name: String) {
        if case .disabled? = routeFilter(name) { return }
        let state = keptState().keptCompression()
        state.decompression = engine
        guard engine.decompressesRequest(&head, endStream: requestEnded || isUpgrade) else { return }
        state.requestDecompressor = GzipDecompressor(engine.settings)
    }

    // MARK: Request body

    /// - Returns: `nil` when the exchange has been answered.
    func recode(requestBody bytes: ByteBuffer, _ state: CompressionState) -> ByteBuffer? {
        var bytes = bytes
        if let decompressor = state.requestDecompressor {
            do throws(GzipDecompressor.Failure) {
                bytes = try decompressor.decompress(bytes)
            } catch {
                reply(error == .tooLarge ? .bodyTooLarge : .badCompressedBody)
                return nil
            }
        }
        guard let compressor = state.requestCompressor else { return bytes }
        return compressor.compress(bytes, isLast: false)
    }

    // MARK: Response

    func recode(response: inout ResponseHead, endStream: Bool, _ state: CompressionState) {
        guard !isTunnel else { return }
        if let engine = state.decompression, engine.decompressesResponse(&response, endStream: endStream) {
            state.responseDecompressor = GzipDecompressor(engine.settings)
        }
        if let engine = state.engine,
            engine.compressesResponse(&response, endStream: endStream, accepted: state.accepted)
        {
            state.responseCompressor = GzipCompressor(engine.settings.gzip)
        }
    }

    /// - Returns: `nil` when the response had to be broken off.
    func recode(responseBody bytes: ByteBuffer, _ state: CompressionState) -> ByteBuffer? {
        guard !state.isBroken else { return nil }
        var bytes = bytes
        if let decompressor = state.responseDecompressor {
            guard let plain = try? decompressor.decompress(bytes) else {
                state.isBroken = true
                // Not from within the upstream's own call.
                worker.eventLoop.assumeIsolated().execute { [self] in breakOff() }
                return nil
            }
            bytes = plain
        }
        guard let compressor = state.responseCompressor else { return bytes }
        return compressor.compress(bytes, isLast: false)
    }

    private func breakOff() {
        guard !isFinished else { return }
        record.flag = "UPE"
        record.details = "response_decompression_failed"
        stream.reset()
        finish()
    }
}

extension GzipCompressor {
    convenience init?(_ settings: CompressorFilter.Gzip) {
        self.init(
            level: settings.level, windowBits: settings.windowBits, memoryLevel: settings.memoryLevel,
            strategy: settings.strategy)
    }
}

extension GzipDecompressor {
    convenience init?(_ settings: DecompressorFilter) {
        self.init(windowBits: settings.windowBits, maximumRatio: Int(settings.maximumRatio))
    }
}
