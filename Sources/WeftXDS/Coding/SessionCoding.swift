import SwiftProtobuf
import WeftIR
import WeftProto

typealias WireSession = Envoy_Extensions_Filters_Http_StatefulSession_V3_StatefulSession
typealias WireSessionPerRoute = Envoy_Extensions_Filters_Http_StatefulSession_V3_StatefulSessionPerRoute
private typealias WireCookieSession = Envoy_Extensions_Http_StatefulSession_Cookie_V3_CookieBasedSessionState
private typealias WireHeaderSession = Envoy_Extensions_Http_StatefulSession_Header_V3_HeaderBasedSessionState

extension StatefulSession {
    func wire() throws -> WireSession {
        var wire = WireSession()
        wire.strict = isStrict
        switch carrier {
        case nil: break
        case .header(let name):
            var state = WireHeaderSession()
            state.name = name
            wire.sessionState.name = "envoy.http.stateful_session.header"
            wire.sessionState.typedConfig = try pack(state)
        case .cookie(let cookie):
            var state = WireCookieSession()
            state.cookie.name = cookie.name
            state.cookie.path = cookie.path
            if cookie.lifetimeSeconds > 0 { state.cookie.ttl = .init(milliseconds: cookie.lifetimeSeconds * 1_000) }
            state.cookie.attributes = cookie.attributes.map { attribute in
                var wire = Envoy_Type_Http_V3_CookieAttribute()
                wire.name = attribute.name
                wire.value = attribute.value
                return wire
            }
            wire.sessionState.name = "envoy.http.stateful_session.cookie"
            wire.sessionState.typedConfig = try pack(state)
        }
        return wire
    }

    func perRouteWire() throws -> WireSessionPerRoute {
        var wire = WireSessionPerRoute()
        wire.statefulSession = try self.wire()
        return wire
    }

    init(_ wire: WireSession, _ reader: WireReader) throws {
        self.init(nil)
        isStrict = wire.strict
        guard wire.hasSessionState else { return }
        let any = wire.sessionState.typedConfig
        switch any.messageName {
        case WireCookieSession.protoMessageName:
            let state = try reader.unpack(any, as: WireCookieSession.self)
            guard !state.cookie.name.isEmpty else { throw reader.error("cookie.name is missing") }
            var cookie = Cookie(name: state.cookie.name)
            cookie.path = state.cookie.path
            cookie.lifetimeSeconds = UInt64(clamping: state.cookie.ttl.seconds)
            cookie.attributes = state.cookie.attributes.map { .init(name: $0.name, value: $0.value) }
            carrier = .cookie(cookie)
        case WireHeaderSession.protoMessageName:
            let state = try reader.unpack(any, as: WireHeaderSession.self)
            guard !state.name.isEmpty else { throw reader.error("name is missing") }
            carrier = .header(state.name)
        default:
            throw reader.error("session state \(wire.sessionState.name) (\(any.messageName)) is not supported")
        }
    }
}

extension PerRouteFilter {
    init(_ wire: WireSessionPerRoute, _ reader: WireReader) throws {
        switch wire.override {
        case .disabled: self = .disabled
        case .statefulSession(let session): self = .statefulSession(try StatefulSession(session, reader))
        case nil: throw reader.error("override is missing")
        }
    }
}
