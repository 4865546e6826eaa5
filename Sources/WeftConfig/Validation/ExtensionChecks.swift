/// Checks of WasmPlugins.
enum WasmPluginChecks {
    static func check(_ spec: WasmPlugin, _ findings: inout Findings) {
        findings.attachment(spec.selector, spec.targetRef, spec.targetRefs)
        ExtensionChecks.module(url: spec.url, sha256: spec.sha256, "spec", &findings)
        ExtensionChecks.names(spec.imagePullSecret, spec.pluginName, "spec", &findings)
        ExtensionChecks.variables(spec.vmConfig?.env ?? [], "spec.vmConfig.env", &findings)
        ExtensionChecks.place(spec.match ?? [], priority: spec.priority, &findings)
        findings.warning(
            "spec", "this release keeps WasmPlugins and does not run them",
            hint: "what the plugin does is missing from requests until the object is replaced by policies of the mesh")
    }
}

/// Checks of TrafficExtensions.
enum TrafficExtensionChecks {
    static func check(_ spec: TrafficExtension, _ findings: inout Findings) {
        findings.attachment(spec.selector, nil, spec.targetRefs)
        if (spec.wasm == nil) == (spec.lua == nil) {
            findings.error("spec", "exactly one of wasm or lua must be set")
        }
        if let wasm = spec.wasm {
            ExtensionChecks.module(url: wasm.url, sha256: wasm.sha256, "spec.wasm", &findings)
            ExtensionChecks.names(wasm.imagePullSecret, wasm.pluginName, "spec.wasm", &findings)
            ExtensionChecks.variables(wasm.vmConfig?.env ?? [], "spec.wasm.vmConfig.env", &findings)
        }
        if let lua = spec.lua, (lua.inlineCode ?? "").isEmpty {
            findings.error("spec.lua.inlineCode", "inlineCode must be set")
        }
        ExtensionChecks.place(spec.match ?? [], priority: spec.priority, &findings)
        findings.warning(
            "spec", "this release keeps TrafficExtensions and does not run them",
            hint: "what the code does is missing from requests until the object is replaced by policies of the mesh")
    }
}

/// What WasmPlugins and TrafficExtensions have in common.
enum ExtensionChecks {
    private static let schemes = ["http", "https", "file", "oci"]

    static func module(url: String?, sha256: String?, _ path: String, _ findings: inout Findings) {
        let url = url ?? ""
        if url.isEmpty {
            findings.error("\(path).url", "url field needs to be set")
        } else if !isURL(url) {
            findings.error(
                "\(path).url", "failed to parse url \"\(url)\": it has characters that no URL has",
                hint: "write others as % and two hexadecimal digits")
        } else if let end = url.firstRange(of: "://") {
            let scheme = String(url[..<end.lowerBound])
            if !schemes.contains(scheme) {
                findings.error(
                    "\(path).url", "url contains invalid scheme: \"\(scheme)\"",
                    hint: "known are \(schemes.joined(separator: ", ")); without one it is oci")
            }
        }
        guard let digest = sha256, !digest.isEmpty else { return }
        if digest.utf8.count != 64 {
            findings.error("\(path).sha256", "sha256 must be 64 characters long, but has \(digest.utf8.count)")
        } else if !digest.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) {
            findings.error("\(path).sha256", "sha256 is not hexadecimal")
        }
    }

    /// Printable characters without spaces; a percent sign begins two hexadecimal digits (RFC 3986, section 2.1).
    private static func isURL(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.indices.allSatisfy { index in
            guard bytes[index] == UInt8(ascii: "%") else { return (0x21...0x7E).contains(bytes[index]) }
            let digits = bytes[(index + 1)...].prefix(2)
            return digits.count == 2 && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        }
    }

    static func names(_ secret: String?, _ plugin: String?, _ path: String, _ findings: inout Findings) {
        if secret == "" { findings.error("\(path).imagePullSecret", "imagePullSecret, if given, must not be empty") }
        if plugin == "" { findings.error("\(path).pluginName", "pluginName, if given, must not be empty") }
    }

    static func variables(_ variables: [WasmPlugin.Variable], _ path: String, _ findings: inout Findings) {
        var names: Set<String> = []
        for (index, variable) in variables.enumerated() {
            let place = "\(path)[\(index)]"
            let name = variable.name ?? ""
            if name.isEmpty {
                findings.error("\(place).name", "\(path) invalid: name is empty")
            } else if !names.insert(name).inserted {
                findings.error("\(place).name", "duplicate value: \(name) stands in \(path) already")
            }
            if variable.valueFrom == .host, !(variable.value ?? "").isEmpty {
                findings.error("\(place).value", "value may only be set when valueFrom is INLINE")
            }
        }
    }

    static func place(_ match: [WasmPlugin.TrafficSelector], priority: Int?, _ findings: inout Findings) {
        for (index, match) in match.enumerated() {
            var numbers: Set<Int> = []
            for (place, port) in (match.ports ?? []).enumerated() {
                let path = "spec.match[\(index)].ports[\(place)].number"
                findings.port(port.number, path)
                if !numbers.insert(port.number).inserted {
                    findings.error(path, "duplicate value: port \(port.number) stands in the match already")
                }
            }
        }
        if let priority, Int32(exactly: priority) == nil {
            findings.error("spec.priority", "priority \(priority) is out of range")
        }
    }
}
