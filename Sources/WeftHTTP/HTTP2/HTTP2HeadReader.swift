import NIOCore

/// Turns decoded field lines into heads and trailers, and refuses what is no HTTP message (RFC 9113, 8.2 and 8.3).
struct HTTP2HeadReader {
    let list: HPACKFieldList
    /// Index into the list's fields of each pseudo header.
    private var method: HPACKFieldList.Field?
    private var scheme: HPACKFieldList.Field?
    private var path: HPACKFieldList.Field?
    private var authority: HPACKFieldList.Field?
    private var status: HPACKFieldList.Field?
    private var `protocol`: HPACKFieldList.Field?
    private var host: HPACKFieldList.Field?
    private var firstRegular = 0
    private(set) var contentLength: UInt64?
    private var cookies = 0
    private var neverIndexed: UInt64 = 0

    init(_ list: HPACKFieldList, isTrailers: Bool = false) throws(HTTP2Reason) {
        self.list = list
        var sawRegular = false
        for (position, field) in list.fields.enumerated() {
            guard field.isValid else { throw .headerField }
            if field.isNeverIndexed { neverIndexed |= ASCII.bit(field.fingerprint) }
            let name = list.name(field)
            if name.first == UInt8(ascii: ":") {
                guard !sawRegular, !isTrailers else { throw .pseudoHeader }
                try takePseudo(name, field)
                firstRegular = position + 1
            } else {
                sawRegular = true
                try takeRegular(name, field)
            }
        }
    }

    private mutating func takePseudo(
        _ name: UnsafeBufferPointer<UInt8>, _ field: HPACKFieldList.Field
    ) throws(HTTP2Reason) {
        func set(_ slot: inout HPACKFieldList.Field?) throws(HTTP2Reason) {
            guard slot == nil else { throw .pseudoHeader }
            slot = field
        }
        if HTTP2FieldKind.equal(name, ":path") {
            try set(&path)
        } else if HTTP2FieldKind.equal(name, ":method") {
            try set(&method)
        } else if HTTP2FieldKind.equal(name, ":scheme") {
            try set(&scheme)
        } else if HTTP2FieldKind.equal(name, ":status") {
            try set(&status)
        } else if HTTP2FieldKind.equal(name, ":authority") {
            try set(&authority)
        } else if HTTP2FieldKind.equal(name, ":protocol") {
            try set(&`protocol`)
        } else {
            throw .pseudoHeader
        }
    }

    private mutating func takeRegular(
        _ name: UnsafeBufferPointer<UInt8>, _ field: HPACKFieldList.Field
    ) throws(HTTP2Reason) {
        switch HTTP2FieldKind(name) {
        case .plain: break
        case .hopByHop: throw .connectionHeader
        case .te: guard HTTP2FieldKind.equal(list.value(field), "trailers") else { throw .connectionHeader }
        case .cookie: cookies += 1
        case .host:
            // As in HTTP/1: nobody may choose between two.
            guard host == nil else { throw .pseudoHeader }
            host = field
        case .contentLength:
            guard let length = ASCII.decimal(list.value(field)), contentLength == nil || contentLength == length
            else { throw .contentLength }
            contentLength = length
        }
    }

    // MARK: - Results

    /// - Parameter allowsProtocol: Whether extended CONNECT was offered to the client (RFC 8441).
    func request(endStream: Bool, allowsProtocol: Bool) throws(HTTP2Reason) -> RequestHead {
        guard let method, status == nil else { throw .pseudoHeader }
        // Anything but a token would become a second request line on an HTTP/1 connection.
        guard !list.value(method).isEmpty, list.value(method).allSatisfy(ASCII.isToken) else { throw .pseudoHeader }
        let verb = HTTPMethod(UnsafeRawBufferPointer(list.value(method)))
        let isConnect = verb == .connect
        if `protocol` != nil { guard isConnect, allowsProtocol else { throw .pseudoHeader } }
        if isConnect, `protocol` == nil {
            guard scheme == nil, path == nil, let authority, authority.valueLength > 0 else { throw .pseudoHeader }
        } else {
            guard let scheme, scheme.valueLength > 0, let path, isTarget(list.value(path), verb) else {
                throw .pseudoHeader
            }
        }
        try checkHost()
        var head = RequestHead(
            method: verb, path: ByteBuffer(), authority: ByteBuffer(), scheme: isSecure ? .https : .http,
            version: .http2, headers: block(dropsHost: true),
            framing: endStream ? .none : contentLength.map { .length($0) } ?? .chunked)
        writeTarget(&head)
        if let `protocol` {
            // Asked for as HTTP/1.1 would, so that the rest of the proxy knows one form of upgrade.
            head.method = .get
            head.headers.append(.upgrade, list.value(`protocol`))
            head.headers.append(.connection, "upgrade")
        }
        return head
    }

    /// Whether the request is extended CONNECT.
    var hasProtocol: Bool { `protocol` != nil }

    private var isSecure: Bool { scheme.map { HTTP2FieldKind.equal(list.value($0), "https") } ?? false }

    private func isTarget(_ path: UnsafeBufferPointer<UInt8>, _ method: HTTPMethod) -> Bool {
        if path.first == UInt8(ascii: "/") { return RequestTarget.isPath(UnsafeRawBufferPointer(path)) }
        return method == .options && path.count == 1 && path.first == UInt8(ascii: "*")
    }

    /// `host` may repeat `:authority` but not contradict it (RFC 9113, 8.3.1).
    private func checkHost() throws(HTTP2Reason) {
        for field in [authority, host] {
            guard let field else { continue }
            guard RequestTarget.isAuthority(UnsafeRawBufferPointer(list.value(field))) else { throw .pseudoHeader }
        }
        guard let host, let authority else { return }
        guard ASCII.equalIgnoringCase(list.value(host), list.value(authority)) else { throw .pseudoHeader }
    }

    /// Path and authority share one buffer, apart from the fields', which filters write to.
    private func writeTarget(_ head: inout RequestHead) {
        let authority = self.authority ?? host
        let pathLength = path?.valueLength ?? 0
        let authorityLength = authority?.valueLength ?? 0
        var buffer = ByteBufferAllocator().buffer(capacity: pathLength + authorityLength)
        if let path { buffer.writeBytes(UnsafeRawBufferPointer(list.value(path))) }
        if let authority { buffer.writeBytes(UnsafeRawBufferPointer(list.value(authority))) }
        head.path = buffer.getSlice(at: 0, length: pathLength) ?? ByteBuffer()
        head.authority = buffer.getSlice(at: pathLength, length: authorityLength) ?? ByteBuffer()
    }

    func response(endStream: Bool) throws(HTTP2Reason) -> ResponseHead {
        guard let status, method == nil, path == nil, scheme == nil, authority == nil, `protocol` == nil,
            status.valueLength == 3, let code = ASCII.decimal(list.value(status)), code >= 100
        else { throw .pseudoHeader }
        return ResponseHead(
            status: UInt16(truncatingIfNeeded: code), version: .http2, headers: block(dropsHost: false),
            framing: endStream ? .none : contentLength.map { .length($0) } ?? .chunked)
    }

    /// The regular fields, copied out in one piece. Cookie crumbs become one field again (RFC 9113, 8.2.3).
    func block(dropsHost: Bool) -> HeaderBlock {
        guard firstRegular < list.fields.count else { return HeaderBlock() }
        let start = list.fields[firstRegular].start
        let length = list.byteCount - start
        var bytes = ByteBufferAllocator().buffer(capacity: length + 256)
        bytes.writeBytes(UnsafeRawBufferPointer(start: list.arena + start, count: length))
        var entries: [HeaderBlock.Entry] = []
        entries.reserveCapacity(list.fields.count - firstRegular + 6)
        var mask = NameBits()
        for field in list.fields[firstRegular...] {
            mask.note(field.fingerprint)
            let name = list.name(field)
            if dropsHost, name.count == 4, HTTP2FieldKind.equal(name, "host") { continue }
            let offset = field.start - start
            entries.append(
                HeaderBlock.Entry(
                    nameStart: Int32(truncatingIfNeeded: offset),
                    nameLength: Int32(truncatingIfNeeded: field.nameLength),
                    valueStart: Int32(truncatingIfNeeded: offset + field.nameLength),
                    valueLength: Int32(truncatingIfNeeded: field.valueLength), fingerprint: field.fingerprint))
        }
        var block = HeaderBlock(bytes: bytes, entries: entries, mask: mask)
        block.neverIndexed = neverIndexed
        if cookies > 1 { joinCookies(&block) }
        return block
    }

    private func joinCookies(_ block: inout HeaderBlock) {
        var joined = ByteBuffer()
        for field in list.fields where HTTP2FieldKind.equal(list.name(field), "cookie") {
            if joined.readableBytes > 0 { joined.writeStaticString("; ") }
            joined.writeBytes(UnsafeRawBufferPointer(list.value(field)))
        }
        block.set(.cookie, joined.readableBytesView)
    }
}
