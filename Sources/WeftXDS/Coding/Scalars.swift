import SwiftProtobuf
import WeftCore
import WeftIR
import WeftProto

extension Google_Protobuf_Duration {
    init(milliseconds: UInt64) {
        self.init()
        seconds = Int64(clamping: milliseconds / 1_000)
        nanos = Int32(milliseconds % 1_000) * 1_000_000
    }

    /// Whole milliseconds; part of one counts as one, so that a short time never becomes "none".
    var milliseconds: UInt64 {
        let whole = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000)
        return whole.overflow ? .max : whole.partialValue &+ UInt64((max(0, nanos) + 999_999) / 1_000_000)
    }
}

extension Google_Protobuf_UInt32Value {
    init(_ value: UInt32) {
        self.init()
        self.value = value
    }
}

extension Google_Protobuf_UInt64Value {
    init(_ value: UInt64) {
        self.init()
        self.value = value
    }
}

extension Google_Protobuf_BoolValue {
    init(_ value: Bool) {
        self.init()
        self.value = value
    }
}

extension FractionalPercent {
    func wire() -> Envoy_Type_V3_FractionalPercent {
        var wire = Envoy_Type_V3_FractionalPercent()
        wire.numerator = partsPerMillion
        wire.denominator = .million
        return wire
    }

    func runtimeWire() -> Envoy_Config_Core_V3_RuntimeFractionalPercent {
        var wire = Envoy_Config_Core_V3_RuntimeFractionalPercent()
        wire.defaultValue = self.wire()
        return wire
    }

    init(_ wire: Envoy_Type_V3_FractionalPercent) {
        let factor: UInt32 =
            switch wire.denominator {
            case .tenThousand: 100
            case .million: 1
            default: 10_000
            }
        let product = wire.numerator.multipliedReportingOverflow(by: factor)
        self.init(partsPerMillion: product.overflow ? .max : product.partialValue)
    }
}

extension Address {
    func wire() -> Core.Address {
        var wire = Core.Address()
        switch self {
        case .ip(let host, let port), .hostname(let host, let port):
            wire.socketAddress.address = host
            wire.socketAddress.portValue = UInt32(port)
        case .unix(let path): wire.pipe.path = path
        case .internalListener(let name): wire.envoyInternalAddress.serverListenerName = name
        }
        return wire
    }

    init(_ wire: Core.Address, _ reader: WireReader) throws {
        switch wire.address {
        case .socketAddress(let socket):
            if case .namedPort = socket.portSpecifier { throw reader.error("named ports are not supported") }
            if socket.protocol != .tcp { throw reader.error("only TCP addresses are supported") }
            let port = try reader.port(socket.portValue)
            self =
                Address.isIP(socket.address) ? .ip(socket.address, port: port) : .hostname(socket.address, port: port)
        case .pipe(let pipe): self = .unix(path: pipe.path)
        case .envoyInternalAddress(let inner): self = .internalListener(inner.serverListenerName)
        case nil: throw reader.error("address is missing")
        }
    }

    private static func isIP(_ text: String) -> Bool {
        if text.contains(":") { return text.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." || $0 == "%" } }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension CIDR {
    func wire() -> Core.Cidr {
        var wire = Core.Cidr()
        wire.addressPrefix = address
        wire.prefixLen = Google_Protobuf_UInt32Value(UInt32(prefixLength))
        return wire
    }

    init(_ wire: Core.Cidr, _ reader: WireReader) throws {
        let limit: UInt32 = wire.addressPrefix.contains(":") ? 128 : 32
        guard wire.prefixLen.value <= limit else {
            throw reader.error("prefix length \(wire.prefixLen.value) is out of range")
        }
        self.init(wire.addressPrefix, prefixLength: UInt8(wire.prefixLen.value))
    }
}

extension HeaderMutations {
    var wireAppend: [Core.HeaderValueOption] {
        append.map { item in
            var wire = Core.HeaderValueOption()
            wire.header.key = item.name
            wire.header.value = item.value
            switch item.action {
            case .appendIfExistsOrAdd: wire.appendAction = .appendIfExistsOrAdd
            case .addIfAbsent: wire.appendAction = .addIfAbsent
            case .overwriteIfExistsOrAdd: wire.appendAction = .overwriteIfExistsOrAdd
            case .overwriteIfExists: wire.appendAction = .overwriteIfExists
            }
            wire.keepEmptyValue = item.keepsEmpty
            return wire
        }
    }

    init(_ append: [Core.HeaderValueOption], remove: [String]) {
        let items = append.map { wire in
            let value =
                wire.header.value.isEmpty ? String(decoding: wire.header.rawValue, as: UTF8.self) : wire.header.value
            var action: AppendAction =
                switch wire.appendAction {
                case .addIfAbsent: .addIfAbsent
                case .overwriteIfExistsOrAdd: .overwriteIfExistsOrAdd
                case .overwriteIfExists: .overwriteIfExists
                default: .appendIfExistsOrAdd
                }
            // The older way to say "overwrite".
            if wire.hasAppend, !wire.append.value { action = .overwriteIfExistsOrAdd }
            var item = Append(name: wire.header.key, value: value, action: action)
            item.keepsEmpty = wire.keepEmptyValue
            return item
        }
        self.init(append: items, remove: remove)
    }
}
