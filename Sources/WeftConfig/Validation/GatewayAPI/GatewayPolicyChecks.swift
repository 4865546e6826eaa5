/// Rules for ReferenceGrants, BackendTLSPolicies and GatewayClasses.
enum GatewayPolicyChecks {
    static func check(_ grant: GatewayAPI.ReferenceGrant, _ findings: inout Findings) {
        if grant.from.isEmpty { findings.error("spec.from", "at least one entry is required") }
        if grant.to.isEmpty { findings.error("spec.to", "at least one entry is required") }
        for (index, from) in grant.from.enumerated() {
            if from.kind.isEmpty { findings.error("spec.from[\(index)].kind", "must not be empty") }
            if from.namespace.isEmpty { findings.error("spec.from[\(index)].namespace", "must not be empty") }
        }
        for (index, to) in grant.to.enumerated() where to.kind.isEmpty {
            findings.error("spec.to[\(index)].kind", "must not be empty")
        }
    }

    static func check(_ policy: GatewayAPI.BackendTLSPolicy, _ findings: inout Findings) {
        if policy.targetRefs.isEmpty { findings.error("spec.targetRefs", "at least one target is required") }
        for (index, target) in policy.targetRefs.enumerated() {
            let isRepeated = policy.targetRefs.prefix(index).contains {
                $0.name == target.name && $0.kind == target.kind && $0.sectionName == target.sectionName
            }
            if isRepeated { findings.error("spec.targetRefs[\(index)]", "this target is given twice") }
        }
        let validation = policy.validation
        let path = "spec.validation"
        let hasAuthorities = !(validation.caCertificateRefs ?? []).isEmpty
        let isWellKnown = !(validation.wellKnownCACertificates ?? "").isEmpty
        if hasAuthorities == isWellKnown {
            findings.error(path, "exactly one of caCertificateRefs and wellKnownCACertificates is required")
        }
        if isWellKnown, validation.wellKnownCACertificates != "System" {
            findings.error("\(path).wellKnownCACertificates", "the only known set is System")
        }
        if validation.hostname.contains("*") {
            findings.error("\(path).hostname", "a wildcard is not allowed here")
        } else {
            findings.gatewayHost(validation.hostname, "\(path).hostname")
        }
        for (index, name) in (validation.subjectAltNames ?? []).enumerated() {
            let place = "\(path).subjectAltNames[\(index)]"
            let isURI = name.type == "URI"
            if isURI != !(name.uri ?? "").isEmpty {
                findings.error("\(place).uri", isURI ? "is required for type URI" : "must not be given for this type")
            }
            if isURI == !(name.hostname ?? "").isEmpty {
                findings.error(
                    "\(place).hostname", isURI ? "must not be given for type URI" : "is required for type Hostname")
            }
        }
        if !(policy.options ?? [:]).isEmpty {
            findings.warning("spec.options", "no option is known here: they have no effect")
        }
    }

    static func check(_ gatewayClass: GatewayAPI.GatewayClass, _ findings: inout Findings) {
        let parts = gatewayClass.controllerName.split(separator: "/", maxSplits: 1)
        if parts.count != 2 || !parts[0].contains(".") {
            findings.error("spec.controllerName", "must be of the form domain.example/path")
        }
    }
}
