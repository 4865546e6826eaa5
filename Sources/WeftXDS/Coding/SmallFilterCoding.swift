import SwiftProtobuf
import WeftIR
import WeftProto

extension HeaderMutationFilter {
    typealias Wire = Envoy_Extensions_Filters_Http_HeaderMutation_V3_HeaderMutation
    typealias WireMutations = Envoy_Extensions_Filters_Http_HeaderMutation_V3_Mutations

    func wire() -> Wire {
        var wire = Wire()
        wire.mutations = wireMutations()
        wire.mostSpecificHeaderMutationsWins = mostSpecificWins
        return wire
    }

    func wireMutations() -> WireMutations {
        var wire = WireMutations()
        wire.requestMutations = request.map { $0.wire() }
        wire.responseMutations = response.map { $0.wire() }
        wire.requestTrailersMutations = requestTrailers.map { $0.wire() }
        wire.responseTrailersMutations = responseTrailers.map { $0.wire() }
        wire.queryParameterMutations = query.map { $0.wire() }
        return wire
    }

    init(_ wire: WireMutations, mostSpecificWins: Bool = false, _ reader: WireReader) throws {
        self.init()
        request = try reader.map("request_mutations", wire.requestMutations) { try Step($0, reader) }
        response = try reader.map("response_mutations", wire.responseMutations) { try Step($0, reader) }
        requestTrailers = try reader.map("request_trailers_mutations", wire.requestTrailersMutations) {
            try Step($0, reader)
        }
        responseTrailers = try reader.map("response_trailers_mutations", wire.responseTrailersMutations) {
            try Step($0, reader)
        }
        query = try reader.map("query_parameter_mutations", wire.queryParameterMutations) { try QueryStep($0, reader) }
        self.mostSpecificWins = mostSpecificWins
    }
}

extension HeaderMutationFilter.Step {
    typealias Wire = Envoy_Config_Common_MutationRules_V3_HeaderMutation

    func wire() -> Wire {
        var wire = Wire()
        switch self {
        case .remove(let name): wire.remove = name
        case .removeMatching(let matcher): wire.removeOnMatch.keyMatcher = matcher.wire()
        case .set(let entry, let keepsEmpty):
            wire.append = HeaderMutations(append: [entry]).wireAppend.first ?? .init()
            wire.append.keepEmptyValue = keepsEmpty
        }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        switch wire.action {
        case .remove(let name): self = .remove(name)
        case .removeOnMatch(let match): self = .removeMatching(try StringMatcher(match.keyMatcher, reader))
        case .append(let option):
            guard var entry = HeaderMutations([option], remove: []).append.first, !entry.name.isEmpty else {
                throw reader.error("append.header.key is missing")
            }
            entry.keepsEmpty = false
            self = .set(entry, keepsEmpty: option.keepEmptyValue)
        case nil: throw reader.error("a mutation of a kind that is not supported")
        }
    }
}

extension HeaderMutationFilter.QueryStep {
    typealias Wire = Envoy_Config_Core_V3_KeyValueMutation

    func wire() -> Wire {
        var wire = Wire()
        switch self {
        case .remove(let name): wire.remove = name
        case .append(let name, let value, let action):
            wire.append.record.key = name
            wire.append.record.value = .init(value)
            wire.append.action =
                switch action {
                case .appendIfExistsOrAdd: .appendIfExistsOrAdd
                case .addIfAbsent: .addIfAbsent
                case .overwriteIfExistsOrAdd: .overwriteIfExistsOrAdd
                case .overwriteIfExists: .overwriteIfExists
                }
        }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        guard wire.hasAppend else {
            guard !wire.remove.isEmpty else { throw reader.error("neither append nor remove is set") }
            self = .remove(wire.remove)
            return
        }
        guard wire.append.hasRecord, case .stringValue(let text) = wire.append.record.value.kind else {
            throw reader.error("append.record must have a key and a string value")
        }
        let action: HeaderMutations.AppendAction =
            switch wire.append.action {
            case .addIfAbsent: .addIfAbsent
            case .overwriteIfExistsOrAdd: .overwriteIfExistsOrAdd
            case .overwriteIfExists: .overwriteIfExists
            case .appendIfExistsOrAdd, .UNRECOGNIZED: .appendIfExistsOrAdd
            }
        self = .append(name: wire.append.record.key, value: text, action: action)
    }
}

extension BufferFilter {
    typealias Wire = Envoy_Extensions_Filters_Http_Buffer_V3_Buffer

    func wire() -> Wire {
        var wire = Wire()
        wire.maxRequestBytes = .init(maxRequestBytes)
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        guard wire.maxRequestBytes.value > 0 else { throw reader.error("max_request_bytes must be above 0") }
        self.init(maxRequestBytes: wire.maxRequestBytes.value)
    }
}

extension HealthCheckFilter {
    typealias Wire = Envoy_Extensions_Filters_Http_HealthCheck_V3_HealthCheck

    func wire() -> Wire {
        var wire = Wire()
        wire.passThroughMode = .init(passesThrough)
        if let cacheMilliseconds { wire.cacheTime = .init(milliseconds: cacheMilliseconds) }
        wire.clusterMinHealthyPercentages = minimumHealthyPercent.mapValues { percent in
            var wire = Envoy_Type_V3_Percent()
            wire.value = percent
            return wire
        }
        wire.headers = headers.map { $0.wire() }
        return wire
    }

    init(_ wire: Wire, _ reader: WireReader) throws {
        self.init()
        guard wire.hasPassThroughMode else { throw reader.error("pass_through_mode is missing") }
        passesThrough = wire.passThroughMode.value
        if wire.hasCacheTime {
            guard passesThrough else { throw reader.error("cache_time needs pass_through_mode") }
            cacheMilliseconds = wire.cacheTime.milliseconds
        }
        minimumHealthyPercent = wire.clusterMinHealthyPercentages.mapValues(\.value)
        if passesThrough, !minimumHealthyPercent.isEmpty {
            throw reader.error("cluster_min_healthy_percentages cannot be used with pass_through_mode")
        }
        headers = try reader.map("headers", wire.headers) { try HeaderMatcher($0, reader) }
    }
}
