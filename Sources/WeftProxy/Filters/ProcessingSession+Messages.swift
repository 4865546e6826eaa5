import Synchronization
import WeftHTTP
import WeftProto
import WeftRouting

extension ProcessingSession {
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
