package import WeftCore

/// Checks objects of Istio's API beyond what their schema says. All findings of an object are reported at once.
package enum Validator {
    /// Errors refuse an object; warnings are shown and the object is taken. Kinds without checks give nothing.
    ///
    /// A field of the wrong form is reported and left out, and the rest is checked all the same.
    package static func validate(object: KubernetesObject) -> [Diagnostic] {
        var object = object
        var malformed = Findings(resource: object.reference)
        var left: [String] = []
        while left.count < malformedLimit {
            do {
                var findings = Findings(resource: object.reference)
                try check(object, &findings)
                // What is missing now is missing because it was left out.
                let rest = findings.diagnostics.filter { finding in
                    let path = finding.path ?? ""
                    return !left.contains { $0.hasPrefix(path) || path.hasPrefix($0) }
                }
                return malformed.diagnostics + rest
            } catch let error as DecodingError {
                malformed.error(error.fieldPath, error.reason)
                left.append(error.fieldPath)
                guard object.json.remove(at: error.location, filler: error.filler) else { return malformed.diagnostics }
            } catch {
                malformed.error("spec", "\(error)")
                return malformed.diagnostics
            }
        }
        return malformed.diagnostics
    }

    /// ``validate(object:)``, and a warning for each field that the kind does not have: the API server drops those.
    package static func review(_ object: KubernetesObject) -> [Diagnostic] {
        var findings = Findings(resource: object.reference)
        for path in unknownFields(in: object) {
            findings.warning(
                path, "unknown field \"\(path)\"", hint: "correct its spelling and its indentation, or delete it")
        }
        return validate(object: object) + findings.diagnostics
    }

    /// Fields of the wrong form that are reported at once.
    static let malformedLimit = 20

    /// Groups of which every kind is known.
    private static let groups: Set = [
        VirtualService.group, AuthorizationPolicy.group, Telemetry.group, WasmPlugin.group,
    ]

    /// Throws a `DecodingError` for the first field of the wrong form.
    private static func check(_ object: KubernetesObject, _ findings: inout Findings) throws {
        switch (object.group, object.kind) {
        case (VirtualService.group, VirtualService.kind): VirtualServiceChecks.check(try object.spec(), &findings)
        case (DestinationRule.group, DestinationRule.kind):
            DestinationRuleChecks.check(try object.spec(), &findings)
        case (Gateway.group, Gateway.kind): GatewayChecks.check(try object.spec(), &findings)
        case (ServiceEntry.group, ServiceEntry.kind):
            ServiceEntryChecks.check(try object.spec(), &findings)
            ServiceEntryRules.check(try object.spec(), &findings)
        case (Sidecar.group, Sidecar.kind):
            SidecarChecks.check(try object.spec(), &findings)
            SidecarRules.check(try object.spec(), &findings)
        case (WorkloadEntry.group, WorkloadEntry.kind): WorkloadEntryChecks.check(try object.spec(), &findings)
        case (WorkloadGroup.group, WorkloadGroup.kind): WorkloadGroupChecks.check(try object.spec(), &findings)
        case (ProxyConfig.group, ProxyConfig.kind): ProxyConfigChecks.check(try object.spec(), &findings)
        case (EnvoyFilter.group, EnvoyFilter.kind): EnvoyFilterChecks.check(try object.spec(), &findings)
        case (PeerAuthentication.group, PeerAuthentication.kind):
            PeerAuthenticationChecks.check(try object.spec(), &findings)
        case (AuthorizationPolicy.group, AuthorizationPolicy.kind):
            AuthorizationPolicyChecks.check(try object.spec(), &findings)
            AuthorizationPolicyChecks.check(annotations: object.annotations, try object.spec(), &findings)
        case (RequestAuthentication.group, RequestAuthentication.kind):
            RequestAuthenticationChecks.check(try object.spec(), &findings)
        case (Telemetry.group, Telemetry.kind): TelemetryChecks.check(try object.spec(), &findings)
        case (WasmPlugin.group, WasmPlugin.kind): WasmPluginChecks.check(try object.spec(), &findings)
        case (GatewayAPI.group, _): try checkGatewayAPI(object, &findings)
        case (TrafficExtension.group, TrafficExtension.kind): TrafficExtensionChecks.check(try object.spec(), &findings)
        case (let group, let kind) where Self.groups.contains(group):
            findings.error("kind", "kind \(kind) of \(group) is not known", hint: "correct kind or apiVersion")
        default: break
        }
    }
}

extension Diagnostic {
    /// The same in the words of Istio's schema analysis (IST0106): what analysis, status and translation say of one
    /// mistake is one finding.
    package var asSchemaFinding: Diagnostic {
        var finding = self
        let what = severity == .error ? "Schema validation error" : "Schema validation warning"
        finding.message = ([what] + [path].compactMap(\.self) + [message]).joined(separator: ": ")
        return finding
    }
}

extension DecodingError {
    /// The steps to the field that a person has to change: for a field that is missing, to the one that lacks it.
    var location: ArraySlice<any CodingKey> {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context),
            .keyNotFound(_, let context):
            context.codingPath[...]
        @unknown default: []
        }
    }
}

extension JSONValue {
    /// Takes a member out, or puts `filler` in the place of an element: those after it keep their places, so that paths stay
    /// true.
    /// - Returns: whether there was one.
    mutating func remove(at path: ArraySlice<any CodingKey>, filler: JSONValue) -> Bool {
        guard let step = path.first else { return false }
        let rest = path.dropFirst()
        switch self {
        case .object(var members):
            guard var member = members[step.stringValue] else { return false }
            if rest.isEmpty {
                members[step.stringValue] = nil
            } else {
                guard member.remove(at: rest, filler: filler) else { return false }
                members[step.stringValue] = member
            }
            self = .object(members)
        case .array(var elements):
            guard let index = step.intValue, elements.indices.contains(index) else { return false }
            if rest.isEmpty {
                elements[index] = filler
            } else {
                guard elements[index].remove(at: rest, filler: filler) else { return false }
            }
            self = .array(elements)
        default: return false
        }
        return true
    }
}

extension Validator {
    private static func checkGatewayAPI(_ object: KubernetesObject, _ findings: inout Findings) throws {
        switch object.kind {
        case GatewayAPI.GatewayClass.kind:
            GatewayPolicyChecks.check(try object.spec(GatewayAPI.GatewayClass.self), &findings)
        case GatewayAPI.Gateway.kind:
            GatewayListenerChecks.check(try object.spec(GatewayAPI.Gateway.self), &findings)
        case GatewayAPI.ListenerSet.kind:
            GatewayListenerChecks.check(try object.spec(GatewayAPI.ListenerSet.self), &findings)
        case GatewayAPI.HTTPRoute.kind:
            GatewayRouteChecks.check(try object.spec(GatewayAPI.HTTPRoute.self), &findings)
        case GatewayAPI.GRPCRoute.kind:
            GatewayRouteChecks.check(try object.spec(GatewayAPI.GRPCRoute.self), &findings)
        case GatewayAPI.TLSRoute.kind:
            GatewayRouteChecks.check(try object.spec(GatewayAPI.TLSRoute.self), &findings)
        case GatewayAPI.TCPRoute.kind:
            GatewayRouteChecks.check(try object.spec(GatewayAPI.TCPRoute.self), &findings)
        case GatewayAPI.ReferenceGrant.kind:
            GatewayPolicyChecks.check(try object.spec(GatewayAPI.ReferenceGrant.self), &findings)
        case GatewayAPI.BackendTLSPolicy.kind:
            GatewayPolicyChecks.check(try object.spec(GatewayAPI.BackendTLSPolicy.self), &findings)
        default: break
        }
    }
}

/// Collects what is wrong with one object.
struct Findings {
    let resource: ResourceReference
    private(set) var diagnostics: [Diagnostic] = []

    init(resource: ResourceReference) { self.resource = resource }

    mutating func error(_ path: String, _ message: String, hint: String? = nil) {
        diagnostics.append(
            Diagnostic(.error, code: "IST0106", resource: resource, path: path, message: message, hint: hint))
    }

    mutating func warning(_ path: String, _ message: String, hint: String? = nil) {
        diagnostics.append(
            Diagnostic(.warning, code: "IST0133", resource: resource, path: path, message: message, hint: hint))
    }
}

// MARK: - Checks that several kinds share

extension Findings {
    mutating func host(_ value: String, _ path: String, wildcard: Bool = true) {
        if value.isEmpty { return error(path, "domain name is empty (not allowed)") }
        if value.utf8.count > 255 { return error(path, "domain name \"\(value.prefix(40))…\" too long (max 255)") }
        var name = Substring(value)
        if name == "*" {
            if !wildcard { error(path, "wildcard host * is not allowed for this kind") }
            return
        }
        if name.hasPrefix("*.") {
            if !wildcard { error(path, "wildcard host \(value) is not allowed here") }
            name = name.dropFirst(2)
        } else if name.hasPrefix("*") {
            name = name.dropFirst()
            if name.hasPrefix("-") { name = name.dropFirst() }
        }
        if name.hasSuffix(".") { name = name.dropLast() }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        for label in labels where !Names.isLabel(label) {
            return error(
                path, "domain name \"\(value)\" invalid (label \"\(label)\" invalid)",
                hint: "labels are letters, digits and dashes, at most 63, and start and end with a letter or digit")
        }
        if let top = labels.last, top.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) {
            error(
                path, "domain name \"\(value)\" invalid (top level domain \"\(top)\" cannot be all-numeric)",
                hint: "an address stands in the `address` of an endpoint")
        }
    }

    mutating func port(_ number: Int?, _ path: String) {
        guard let number else { return error(path, "port is required") }
        if !(1...65_535).contains(number) { error(path, "port number \(number) must be in the range 1..65535") }
    }

    mutating func duration(_ value: ProtoDuration?, _ path: String, zeroAllowed: Bool = false) {
        guard let value else { return }
        if zeroAllowed, value.nanoseconds == 0 { return }
        if value.nanoseconds < 1_000_000 { error(path, "duration must be greater than 1ms") }
    }

    mutating func percent(_ value: Double?, _ path: String) {
        if let value, !(0...100).contains(value) {
            error(path, "percentage \(JSONValue.double(value).text()) is not in range 0..100")
        }
    }

    mutating func count(_ value: Int?, _ path: String) {
        if let value, value < 0 { error(path, "must be a non-negative number, but is \(value)") }
    }

    /// - Parameter emptyPrefix: whether a prefix of nothing, which everything has, may be asked for.
    mutating func match(_ value: StringMatch?, _ path: String, emptyPrefix: Bool = false) {
        guard let value else { return }
        if value.prefix == "", !emptyPrefix {
            error("\(path).prefix", "prefix string match should not be empty", hint: "leave the condition out")
        }
        if value.regex == "" { error("\(path).regex", "regex string match should not be empty") }
        if [value.exact, value.prefix, value.regex].compactMap({ $0 }).count > 1 {
            error(path, "only one of exact, prefix and regex may be set")
        }
        if let regex = value.regex { self.regex(regex, path + ".regex") }
    }

    mutating func regex(_ pattern: String, _ path: String) {
        if pattern.utf8.count > 1024 {
            return error(path, "regex is too large: \(pattern.utf8.count) bytes, at most 1024 are allowed")
        }
        do throws(RegexError) {
            _ = try Regex(pattern)
        } catch {
            self.error(
                path, "error parsing regexp: \(error.message) at byte \(error.position): `\(pattern)`",
                hint: "patterns are written in RE2's syntax")
        }
    }

    mutating func labels(_ labels: [String: String]?, _ path: String) {
        for (key, value) in (labels ?? [:]).sorted(by: { $0.key < $1.key }) {
            if key.isEmpty { error(path, "labels cannot have an empty key") }
            if key.contains("*") || value.contains("*") {
                error("\(path)[\(key)]", "wildcard is not supported in selector")
            }
            if value.utf8.count > 63 {
                error("\(path)[\(key)]", "label value \"\(value)\" must be no more than 63 characters")
            }
        }
    }

    /// Labels that an object is to have, by Kubernetes' rules ("Labels and Selectors", syntax and character set).
    mutating func objectLabels(_ labels: [String: String]?, _ path: String) {
        self.labels(labels, path)
        for (key, value) in (labels ?? [:]).sorted(by: { $0.key < $1.key }) where !key.isEmpty {
            let parts = key.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts.last ?? ""
            let prefix = parts.count == 2 ? parts[0] : "x"
            let hasPrefix = prefix.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Names.isLabel)
            if !Names.isLabelText(name) || !hasPrefix { error("\(path)[\(key)]", "invalid label key \"\(key)\"") }
            if !value.isEmpty, value.utf8.count <= 63, !Names.isLabelText(Substring(value)) {
                error("\(path)[\(key)]", "invalid label value \"\(value)\"")
            }
        }
    }
}

/// What names and patterns may look like.
enum Names {
    static func isLabel(_ label: Substring) -> Bool {
        guard let first = label.utf8.first, let last = label.utf8.last, label.utf8.count <= 63 else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// The name of a header as Istio takes it: letters, digits, dashes and underscores.
    static func isHeader(_ name: String) -> Bool { !name.isEmpty && name.utf8.allSatisfy(isHeaderByte) }

    /// Also the bytes of base64url.
    static func isHeaderByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    /// The name of a label, or its value: like a label of a host name, with dots and underscores inside.
    static func isLabelText(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= 63 else { return false }
        let inner = Set("-_.".utf8)
        return isAlphanumeric(first) && isAlphanumeric(last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || inner.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
