import FoundationEssentials
import NIOCore
import Synchronization
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting

/// The request, or its response.
enum ProcessingSide { case request, response }

/// What an external processor has been shown of one side of an exchange.
struct ProcessingDirection {
    enum Phase {
        case idle, headers
        /// As a whole, or as much of it as fits.
        case body
        /// Piece by piece.
        case pieces
        case trailers
    }
    enum Piece {
        case bytes(ByteBuffer)
        /// The end of a body without trailers.
        case end
        /// Shown when everything before them has been answered, if they are to be.
        case trailers(HeaderBlock)
    }
    var phase = Phase.idle
    var timer: Scheduled<Void>?
    var wasExtended = false
    /// The body is shown as it comes.
    var isStreamed = false
    /// What waits for an answer of the processor's, oldest first.
    var pieces: [Piece] = []
    /// How much of that are bytes.
    var pieceBytes = 0
    /// Whoever sends the body is not read from.
    var isPaused = false
    /// How many buffers of the body the processor was shown as its whole.
    var shownPieces = 0
    /// Attributes go with the first message of a side.
    var hasToldAttributes = false
    /// More than this is not read while the processor has not answered.
    static let highMark = 1 << 18

    var isBusy: Bool { phase != .idle || !pieces.isEmpty }
}

/// Bodies that are shown piece by piece, and trailers.
extension ProcessingSession {
    subscript(side: ProcessingSide) -> ProcessingDirection {
        get { side == .request ? request : response }
        set { if side == .request { request = newValue } else { response = newValue } }
    }

    func showsTrailers(_ side: ProcessingSide) -> Bool {
        !isDone && (side == .request ? mode.requestTrailers : mode.responseTrailers)
    }

    /// - Returns: Whether the bytes are for the processor first.
    func takes(_ bytes: ByteBuffer, _ side: ProcessingSide) -> Bool {
        guard !isDone, self[side].isStreamed else { return false }
        guard !settings.observes else {
            if bytes.readableBytes > 0 { tellPiece(bytes, isLast: false, side) }
            return false
        }
        add(bytes, side)
        return true
    }

    /// - Returns: Whether the end waits for the processor.
    func takesEnd(_ trailers: HeaderBlock?, _ side: ProcessingSide) -> Bool {
        guard !isDone, !isPassing else { return false }
        guard !settings.observes else {
            tellEnd(trailers, side)
            return false
        }
        // What the processor was shown before is not answered: the end is dealt with when it is.
        if side == .request, awaitsRequestBody || request.phase == .headers || request.phase == .body { return false }
        if let trailers, self[side].isStreamed || showsTrailers(side) {
            self[side].pieces.append(.trailers(trailers))
            showTrailers(side)
            return true
        }
        guard trailers == nil, self[side].isStreamed else { return false }
        self[side].pieces.append(.end)
        showPiece(ByteBuffer(), isLast: true, side)
        return true
    }

    /// From now on the body is shown as it comes.
    /// - Parameter early: What has come already.
    func startStreaming(_ side: ProcessingSide, _ early: [ByteBuffer]) {
        self[side].isStreamed = true
        var all = ByteBuffer()
        for bytes in early { all.writeImmutableBuffer(bytes) }
        add(all, side)
    }

    private func add(_ bytes: ByteBuffer, _ side: ProcessingSide) {
        guard bytes.readableBytes > 0 else { return }
        self[side].pieces.append(.bytes(bytes))
        self[side].pieceBytes += bytes.readableBytes
        if self[side].pieceBytes > ProcessingDirection.highMark {
            self[side].isPaused = true
            exchange.setReading(side, false)
        }
        showPiece(bytes, isLast: false, side)
    }

    private func showPiece(_ bytes: ByteBuffer, isLast: Bool, _ side: ProcessingSide) {
        show(Self.piece(bytes, isLast: isLast, side), side, .pieces)
    }

    private static func piece(_ bytes: ByteBuffer, isLast: Bool, _ side: ProcessingSide) -> Request {
        var body = Envoy_Service_ExtProc_V3_HttpBody()
        body.body = Data(bytes.readableBytesView)
        body.endOfStream = isLast
        var message = Request()
        message.request = side == .request ? .requestBody(body) : .responseBody(body)
        return message
    }

    private func trailersMessage(_ trailers: HeaderBlock, _ side: ProcessingSide) -> Request {
        var part = Envoy_Service_ExtProc_V3_HttpTrailers()
        part.trailers = Self.headerMap(
            trailers.fields.map { ($0.name.lowercased(), $0.value) }, processor.selection)
        var message = Request()
        message.request = side == .request ? .requestTrailers(part) : .responseTrailers(part)
        return message
    }

    // MARK: Only observing

    func tellPiece(_ bytes: ByteBuffer, isLast: Bool, _ side: ProcessingSide) {
        tell(Self.piece(bytes, isLast: isLast, side), side)
    }

    private func tellEnd(_ trailers: HeaderBlock?, _ side: ProcessingSide) {
        if let trailers, showsTrailers(side) { return tell(trailersMessage(trailers, side), side) }
        if self[side].isStreamed { tellPiece(ByteBuffer(), isLast: true, side) }
    }

    /// Shows the trailers of a held response, which stays held.
    func showHeldTrailers(_ trailers: HeaderBlock) {
        response.pieces = [.trailers(trailers)]
        showTrailers(.response)
    }

    /// Shows trailers that are next, or lets them go.
    private func showTrailers(_ side: ProcessingSide) {
        guard !isDone, case .trailers(let trailers)? = self[side].pieces.first else { return }
        guard showsTrailers(side) else {
            self[side].pieces = []
            return pass(.trailers(trailers), side)
        }
        show(trailersMessage(trailers, side), side, .trailers)
    }

    /// The answer to the oldest piece; changes of headers come too late and mean nothing, as in Envoy.
    func pieceProcessed(_ answer: Envoy_Service_ExtProc_V3_CommonResponse, _ side: ProcessingSide) {
        stopTimer(side)
        guard !self[side].pieces.isEmpty else { return fail(.spurious) }
        let piece = self[side].pieces.removeFirst()
        if case .bytes(let bytes) = piece { self[side].pieceBytes -= bytes.readableBytes }
        switch self[side].pieces.first {
        case nil, .trailers?: self[side].phase = .idle
        case .bytes?, .end?: break
        }
        let changed = answer.hasBodyMutation ? answer.bodyMutation.bytes : nil
        switch (piece, changed) {
        case (.bytes, let changed?): pass(.bytes(changed), side)
        case (.end, let changed?):
            pass(.bytes(changed), side)
            pass(.end, side)
        default: pass(piece, side)
        }
        guard !exchange.isFinished, !isDone else { return }
        if self[side].isPaused, self[side].pieceBytes <= ProcessingDirection.highMark / 2 {
            self[side].isPaused = false
            exchange.setReading(side, true)
        }
        showTrailers(side)
    }

    func trailersProcessed(_ mutation: Envoy_Service_ExtProc_V3_HeaderMutation, _ side: ProcessingSide) {
        settle(side)
        guard case .trailers(var trailers)? = self[side].pieces.first else { return fail(.spurious) }
        guard let changes = changes(mutation) else { return fail(.mutation) }
        self[side].pieces = []
        for name in changes.removed { trailers.drop(name) }
        for change in changes.set where !change.name.hasPrefix(":") { trailers.apply(change) }
        guard side == .response, held != nil else { return pass(.trailers(trailers), side) }
        heldEnd.trailers = trailers
        isPassing = true
        defer { isPassing = false }
        exchange.release(self)
    }

    /// Towards where it was meant to go.
    func pass(_ piece: ProcessingDirection.Piece, _ side: ProcessingSide) {
        guard !exchange.isFinished else { return }
        isPassing = true
        defer { isPassing = false }
        switch (piece, side) {
        case (.bytes(let bytes), .request): if bytes.readableBytes > 0 { exchange.deliver(bytes) }
        case (.bytes(let bytes), .response):
            if bytes.readableBytes > 0 { exchange.pass(responseBody: bytes, isMore: false) }
        case (.end, .request): exchange.receiveEnd(trailers: nil)
        case (.end, .response): exchange.passResponseEnd(trailers: nil)
        case (.trailers(let trailers), .request): exchange.receiveEnd(trailers: trailers)
        case (.trailers(let trailers), .response): exchange.passResponseEnd(trailers: trailers)
        }
    }
}

extension Envoy_Service_ExtProc_V3_BodyMutation {
    /// `nil` when the body stays.
    var bytes: ByteBuffer? {
        switch mutation {
        case .body(let bytes): ByteBuffer(bytes: bytes)
        case .clearBody_p(true): ByteBuffer()
        case .clearBody_p(false), .streamedResponse, nil: nil
        }
    }
}
