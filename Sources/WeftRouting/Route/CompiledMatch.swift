import NIOCore
import WeftCore
import WeftHTTP
import WeftIR

/// The conditions of one route over bytes.
final class CompiledMatch: Sendable {
    enum Path: Sendable {
        case prefix([UInt8])
        case separated([UInt8])
        case exact([UInt8])
        case regex(Regex?)
        case template(PathTemplate?)
        case connect
    }
    struct Parameter: Sendable {
        let name: [UInt8]
        let present: Bool?
        let value: CompiledStringMatcher?
    }
    let path: Path
    let caseSensitive: Bool
    private let headers: [CompiledHeaderMatcher]
    private let parameters: [Parameter]
    private let metadata: [CompiledMetadataMatcher]
    private let tls: TLSContextMatch?
    private let grpcOnly: Bool
    private let fraction: FractionalPercent?
    /// One of its patterns does not compile.
    let hasBrokenPattern: Bool
    /// It matches nothing: for a pattern of its own, or one of what its route does.
    let isBroken: Bool

    init(_ match: RouteMatch, isRefused: Bool = false) {
        let fold = !match.caseSensitive
        func bytes(_ text: String) -> [UInt8] { fold ? text.utf8.map(ASCII.lowercased) : Array(text.utf8) }
        path =
            switch match.path {
            case .prefix(let text): .prefix(bytes(text))
            case .pathSeparatedPrefix(let text): .separated(bytes(text))
            case .exact(let text): .exact(bytes(text))
            case .regex(let text): .regex(try? Regex(text))
            case .template(let text): .template(try? PathTemplate(text))
            case .connect: .connect
            }
        caseSensitive = match.caseSensitive
        headers = match.headers.map(CompiledHeaderMatcher.init)
        parameters = match.queryParameters.map { parameter in
            switch parameter.test {
            case .present(let wanted): Parameter(name: Array(parameter.name.utf8), present: wanted, value: nil)
            case .string(let matcher):
                Parameter(name: Array(parameter.name.utf8), present: nil, value: CompiledStringMatcher(matcher))
            }
        }
        metadata = match.dynamicMetadata.map(CompiledMetadataMatcher.init)
        tls = match.tls
        grpcOnly = match.grpcOnly
        fraction = match.runtimeFraction
        let pathIsBroken =
            switch path {
            case .regex(nil), .template(nil): true
            default: false
            }
        hasBrokenPattern =
            pathIsBroken || headers.contains(where: \.isBroken) || metadata.contains(where: \.isBroken)
            || parameters.contains { $0.value?.isBroken == true }
        isBroken = hasBrokenPattern || isRefused
    }

    /// - Parameter target: The path of `head`, without its query.
    func matches(_ head: RequestHead, target: ByteBufferView, context: RouteContext, random: UInt64) -> Bool {
        guard !isBroken, matchesPath(head, target) else { return false }
        if grpcOnly, !head.isGRPC { return false }
        guard headers.allSatisfy({ $0.matches(head) }) else { return false }
        for parameter in parameters {
            let value = PathAndQuery.parameter(parameter.name, in: head.path)
            if let present = parameter.present, (value != nil) != present { return false }
            if let matcher = parameter.value, value.map({ matcher.matches($0) }) != true { return false }
        }
        if let presented = tls?.presented, presented != context.presentedCertificate { return false }
        if let validated = tls?.validated, validated != context.validatedCertificate { return false }
        guard metadata.allSatisfy({ $0.matches(context.metadata) }) else { return false }
        return fraction.map { random % 1_000_000 < UInt64($0.partsPerMillion) } ?? true
    }

    private func matchesPath(_ head: RequestHead, _ target: ByteBufferView) -> Bool {
        if case .connect = path { return head.method.isConnect }
        // CONNECT without a path has nothing that a path could match.
        if head.method.isConnect, target.isEmpty { return false }
        guard caseSensitive else { return matches(target.map(ASCII.lowercased)) }
        return switch path {
        case .prefix(let text): target.withUnsafeBytes { $0.starts(withBytes: text) }
        case .separated(let text):
            target.withUnsafeBytes {
                $0.starts(withBytes: text) && ($0.count == text.count || $0[text.count] == 47)
            }
        case .exact(let text): target.withUnsafeBytes { $0.count == text.count && $0.starts(withBytes: text) }
        case .regex, .template, .connect: matches(target)
        }
    }

    private func matches(_ target: some BidirectionalCollection<UInt8>) -> Bool {
        switch path {
        case .prefix(let text): target.starts(with: text)
        case .separated(let text):
            target.starts(with: text) && (target.count == text.count || target.dropFirst(text.count).first == 47)
        case .exact(let text): target.elementsEqual(text)
        case .regex(let regex): regex?.matches(target) ?? false
        case .template(let template): template?.matches(target) ?? false
        case .connect: false
        }
    }
}
