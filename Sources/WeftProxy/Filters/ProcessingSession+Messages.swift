import SwiftProtobuf
import Synchronization
import WeftCore
import WeftHTTP
import WeftIR
import WeftProto
import WeftRouting

extension ProcessingSession {
    private static let filterName = "envoy.filters.http.ext_proc"

    /// With what goes along with every message, and attributes with the first one of a side.
    func completed(_ message: Request, _ side: ProcessingSide) -> Request {
        var message = message
        message.observabilityMode = settings.observes
        let names = side == .request ? settings.requestAttributes : settings.responseAttributes
        if !names.isEmpty, !self[side].hasToldAttributes {
            self[side].hasToldAttributes = true
            let context = LogContext(exchange, response: held?.headers)
            var fields: [String: Google_Protobuf_Value] = [:]
            for name in names {
                fields[name] = processor.attribute(name).value { context.value(of: $0) }.map { $0.wire }
            }
            message.attributes[Self.filterName] = .init(fields: fields)
        }
        for space in settings.metadata.forwarded {
            guard case .object(let members)? = exchange.filterState?.metadata[space] else { continue }
            message.metadataContext.filterMetadata[space] = .init(fields: members.mapValues(\.wire))
        }
        return message
    }

    /// Metadata that the processor sets, in the namespaces that it may.
    func take(_ metadata: Google_Protobuf_Struct) {
        for space in settings.metadata.received {
            guard case .structValue(let members)? = metadata.fields[space]?.kind else { continue }
            exchange.keptState().metadata[space] = DynamicValue(members)
        }
    }

    static func headerMap(
        _ fields: [(String, String)], _ selection: CompiledHeaderSelection
    ) -> Envoy_Config_Core_V3_HeaderMap {
        var map = Envoy_Config_Core_V3_HeaderMap()
        map.headers = fields.filter { selection.shows($0.0) }.map { name, value in
            var field = Envoy_Config_Core_V3_HeaderValue()
            field.key = name
            field.rawValue = .init(value.utf8)
            return field
        }
        return map
    }

    /// The changes that the rules let through; `nil` when one makes the answer an error.
    func changes(_ mutation: Envoy_Service_ExtProc_V3_HeaderMutation) -> (set: [HeaderChange], removed: [String])? {
        var removed: [String] = []
        for name in mutation.removeHeaders.map({ $0.lowercased() }) {
            switch processor.rules.verdict(name, removes: true) {
            case .allowed: removed.append(name)
            case .ignored: processor.counts.rejectedMutations.wrappingAdd(1, ordering: .relaxed)
            case .failure: return nil
            }
        }
        var set: [HeaderChange] = []
        for option in mutation.setHeaders {
            let change = HeaderChange(option, joins: false)
            guard change.isValid else { return nil }
            switch processor.rules.verdict(change.name) {
            case .allowed: set.append(change)
            case .ignored: processor.counts.rejectedMutations.wrappingAdd(1, ordering: .relaxed)
            case .failure: return nil
            }
        }
        return (set, removed)
    }
}

extension AttributeValue {
    /// As protobuf's JSON has it.
    fileprivate var wire: Google_Protobuf_Value {
        switch self {
        case .string(let text): .init(stringValue: text)
        case .int(let number): .init(numberValue: Double(number))
        case .double(let number): .init(numberValue: number)
        case .bool(let flag): .init(boolValue: flag)
        case .duration: .init(stringValue: text)
        }
    }
}
