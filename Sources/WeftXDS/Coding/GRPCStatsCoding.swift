import SwiftProtobuf
import WeftIR
import WeftProto

extension GRPCStats {
    typealias Wire = Envoy_Extensions_Filters_Http_GrpcStats_V3_FilterConfig

    func wire() -> Wire {
        var wire = Wire()
        wire.emitFilterState = tellsCounts
        wire.enableUpstreamStats = timesUpstream
        wire.replaceDotsInGrpcServiceName = replacesDots
        switch methods {
        case .none: break
        case .all: wire.statsForAllMethods = .init(true)
        case .listed(let services):
            wire.individualMethodStatsAllowlist = .init()
            wire.individualMethodStatsAllowlist.services = services.sorted { $0.key < $1.key }.map { name, methods in
                var service = Envoy_Config_Core_V3_GrpcMethodList.Service()
                service.name = name
                service.methodNames = methods.sorted()
                return service
            }
        }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init()
        tellsCounts = wire.emitFilterState
        timesUpstream = wire.enableUpstreamStats
        replacesDots = wire.replaceDotsInGrpcServiceName
        switch wire.perMethodStatSpecifier {
        case .statsForAllMethods(let all): methods = all.value ? .all : .none
        case .individualMethodStatsAllowlist(let list):
            var services: [String: Set<String>] = [:]
            for (index, service) in list.services.enumerated() {
                try reader.at("individual_method_stats_allowlist.services[\(index)]") {
                    guard !service.name.isEmpty else { throw reader.error("name is missing") }
                    guard !service.methodNames.isEmpty, !service.methodNames.contains("") else {
                        throw reader.error("method_names must name at least one method")
                    }
                }
                services[service.name, default: []].formUnion(service.methodNames)
            }
            methods = .listed(services)
        case nil: break
        }
    }
}
