import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireScope = Envoy_Config_Route_V3_ScopedRouteConfiguration
typealias WireScopedRoutes = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_ScopedRoutes

extension RouteScope {
    func wire(_ target: Target) throws -> WireScope {
        var wire = WireScope()
        wire.name = name
        wire.key.fragments = key.map { text in
            var fragment = WireScope.Key.Fragment()
            fragment.stringKey = text
            return fragment
        }
        switch table {
        case .inline(let table): wire.routeConfiguration = try table.wire(target)
        case .rds(let name): wire.routeConfigurationName = name
        }
        return wire
    }

    init(_ wire: WireScope, _ reader: WireReader) throws {
        guard !wire.name.isEmpty else { throw reader.error("name is missing") }
        guard !wire.key.fragments.isEmpty else { throw reader.error("key.fragments are missing") }
        let key = try reader.map("key.fragments", wire.key.fragments) { fragment in
            guard case .stringKey(let text)? = fragment.type else { throw reader.error("string_key is missing") }
            return text
        }
        guard wire.hasRouteConfiguration != !wire.routeConfigurationName.isEmpty else {
            throw reader.error("exactly one of route_configuration and route_configuration_name is needed")
        }
        let table: Table =
            wire.hasRouteConfiguration
            ? .inline(
                try reader.at("route_configuration") { try RouteConfiguration(wire.routeConfiguration, reader) })
            : .rds(wire.routeConfigurationName)
        self.init(name: wire.name, key: key, table: table)
    }
}

extension ScopedRoutes {
    func wire(routesFile: String?, _ target: Target) throws -> WireScopedRoutes {
        var wire = WireScopedRoutes()
        wire.name = name
        wire.scopeKeyBuilder.fragments = key.map(\.wire)
        wire.rdsConfigSource = .init(file: routesFile)
        if let scopes {
            wire.scopedRouteConfigurationsList.scopedRouteConfigurations = try scopes.map { try $0.wire(target) }
        } else {
            wire.scopedRds.scopedRdsConfigSource = .init(file: nil)
        }
        return wire
    }

    init(_ wire: WireScopedRoutes, _ reader: WireReader) throws {
        let parts = wire.scopeKeyBuilder.fragments
        guard !parts.isEmpty else { throw reader.error("scope_key_builder.fragments are missing") }
        let key = try reader.map("scope_key_builder.fragments", parts) { try KeyPart($0, reader) }
        var scopes: [RouteScope]?
        switch wire.configSpecifier {
        case .scopedRouteConfigurationsList(let list):
            let field = "scoped_route_configurations_list.scoped_route_configurations"
            let all = try reader.map(field, list.scopedRouteConfigurations) { try RouteScope($0, reader) }
            if let problem = RouteScope.repeatedKey(all) { throw reader.error(problem) }
            scopes = all
        case .scopedRds(let source):
            guard try source.scopedRdsConfigSource.file(reader) == nil else {
                throw reader.error("scoped_rds by path_config_source is not supported; use ads or an inline list")
            }
        case nil: throw reader.error("scoped_route_configurations_list or scoped_rds is missing")
        }
        self.init(name: wire.name, key: key, scopes: scopes)
    }
}

extension ScopedRoutes.KeyPart {
    fileprivate typealias Wire = WireScopedRoutes.ScopeKeyBuilder.FragmentBuilder

    fileprivate var wire: Wire {
        var wire = Wire()
        wire.headerValueExtractor.name = header
        wire.headerValueExtractor.elementSeparator = elementSeparator
        switch piece {
        case .index(let index): wire.headerValueExtractor.index = index
        case .element(let separator, let key):
            wire.headerValueExtractor.element.separator = separator
            wire.headerValueExtractor.element.key = key
        }
        return wire
    }

    fileprivate init(_ wire: Wire, _ reader: WireReader) throws {
        guard case .headerValueExtractor(let extractor)? = wire.type else {
            throw reader.error("header_value_extractor is missing")
        }
        guard !extractor.name.isEmpty else { throw reader.error("header_value_extractor.name is missing") }
        self.init(header: extractor.name, elementSeparator: extractor.elementSeparator)
        switch extractor.extractType {
        case .index(let index):
            guard index == 0 || !elementSeparator.isEmpty else {
                throw reader.error("index \(index) needs an element_separator: without one there is one element")
            }
            piece = .index(index)
        case .element(let element):
            guard !element.separator.isEmpty, !element.key.isEmpty else {
                throw reader.error("element needs a separator and a key")
            }
            piece = .element(separator: element.separator, key: element.key)
        case nil: throw reader.error("header_value_extractor needs index or element")
        }
    }
}
