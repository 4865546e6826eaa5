import Foundation
import SwiftProtobuf

/// Where decoding is, and what it could not honour on the way. Lives for the decoding of one resource.
final class WireReader {
    var resource = ""
    private(set) var warnings: [String] = []
    /// Full names of the fields that have no effect, as often as they were met.
    private(set) var ignoredFields: [String] = []
    /// What `runtime_key`s stand for.
    let runtime: RuntimeValues

    init(runtime: RuntimeValues = RuntimeValues()) { self.runtime = runtime }

    /// A field on the way to where decoding is. Made into text only when there is something to tell.
    private struct Step: CustomStringConvertible {
        var field: String
        var index: Int?
        var description: String { index.map { "\(field)[\($0)]" } ?? field }
    }
    private var steps: [Step] = []
    private var path: [String] { steps.map(\.description) }

    /// Runs `body` inside a field, so that errors and warnings name it.
    func at<T>(_ field: String, _ body: () throws -> T) rethrows -> T { try at(field, index: nil, body) }

    /// The same for an element of a list.
    func at<T>(_ field: String, index: Int?, _ body: () throws -> T) rethrows -> T {
        steps.append(Step(field: field, index: index))
        defer { steps.removeLast() }
        return try body()
    }

    /// Decodes each element of a repeated field, with its index in the path.
    func map<Element, T>(_ field: String, _ elements: [Element], _ body: (Element) throws -> T) rethrows -> [T] {
        var results: [T] = []
        results.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            results.append(try at(field, index: index) { try body(element) })
        }
        return results
    }

    func error(_ reason: String) -> XDSDecodingError {
        XDSDecodingError(resource: resource, field: path.joined(separator: "."), reason: reason)
    }

    func warn(_ text: String) {
        let path = path
        warnings.append((path + [text]).joined(separator: path.isEmpty ? "" : ": "))
    }

    /// Takes over what was found when something was decoded by another reader.
    func add(warnings: [String], ignoredFields: [String]) {
        self.warnings += warnings
        self.ignoredFields += ignoredFields
    }

    /// Unpacks a typed message; fields that its definition does not have become warnings.
    func unpack<M: Message>(_ any: Google_Protobuf_Any, as type: M.Type) throws -> M {
        let message: M
        do {
            message = try M(serializedBytes: any.value)
        } catch {
            throw self.error("malformed \(M.protoMessageName)")
        }
        try check(message)
        return message
    }

    /// Names the fields of a message that are set and not obeyed.
    /// - Parameter place: Where the message stands in the one that is being read: `virtual_hosts[3]`.
    /// - Throws: If one of them refuses the resource.
    func check<M: Message>(_ message: M, at place: @autoclosure () -> String = "") throws {
        let findings = try FieldVisitor.findings(in: message)
        guard !findings.isEmpty else { return }
        let place = place()
        for finding in findings {
            let path = place.isEmpty ? finding.path : "\(place).\(finding.path)"
            switch finding.entry.verdict {
            case .obeyed, .accepted: break
            case .ignored:
                warn("\(path) has no effect: \(finding.entry.reason)")
                ignoredFields.append("\(finding.entry.message).\(finding.entry.name)")
            case .refused: throw at(path, { error("is not supported: \(finding.entry.reason)") })
            }
        }
    }

    func port(_ value: UInt32) throws -> UInt16 {
        guard let port = UInt16(exactly: value) else { throw error("port \(value) is out of range") }
        return port
    }

    func status(_ value: UInt32) throws -> UInt16 {
        guard let status = UInt16(exactly: value), status < 600 else { throw error("status \(value) is out of range") }
        return status
    }
}

extension Google_Protobuf_Any {
    /// The full name of the message inside.
    var messageName: String { typeURL.split(separator: "/").last.map(String.init) ?? typeURL }

    func holds<M: Message>(_ type: M.Type) -> Bool { messageName == M.protoMessageName }
}

/// Packs a message, map entries in order.
func pack(_ message: some Message) throws -> Google_Protobuf_Any {
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    var any = Google_Protobuf_Any()
    any.typeURL = "type.googleapis.com/\(type(of: message).protoMessageName)"
    any.value = try message.serializedBytes(options: options)
    return any
}
