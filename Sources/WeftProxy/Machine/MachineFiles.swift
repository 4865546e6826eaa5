import WeftCore
import WeftYAML

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The files that `weft x workload entry configure` writes for a machine, read into what the agent of a pod finds in its
/// environment.
struct MachineFiles {
    /// What cannot be started with, in words for whoever set up the machine.
    struct Problem: Error, CustomStringConvertible { var description: String }

    static let environmentFile = "cluster.env"
    static let meshFile = "mesh.yaml"
    static let hostsFile = "hosts"
    static let tokenFile = "istio-token"
    static let rootFile = "root-cert.pem"

    let directory: String

    var paths: AgentPaths {
        var paths = AgentPaths()
        paths.token = file(Self.tokenFile)
        paths.root = file(Self.rootFile)
        paths.revocations = file("ca-crl.pem")
        paths.proxyDirectory = directory
        return paths
    }

    private func file(_ name: String) -> String { "\(directory)/\(name)" }

    /// The environment that the agent starts with: what the process has goes before the files.
    ///
    /// - Parameters:
    ///   - host: the machine's own name and address, for what neither says.
    func environment(_ process: [String: String], host: MachineHost) throws -> [String: String] {
        var result = Self.variables(try text(Self.environmentFile))
        let mesh: JSONValue
        do {
            mesh = try YAMLReader.value(in: try text(Self.meshFile), file: file(Self.meshFile))
        } catch let error as YAMLParseError {
            throw Problem(description: "\(error)")
        }
        let proxyConfig = mesh["defaultConfig"] ?? [:]
        for (name, value) in proxyConfig["proxyMetadata"]?.objectValue ?? [:] {
            result[name] = result[name] ?? value.stringValue
        }
        result["PROXY_CONFIG"] = proxyConfig.text()
        result.merge(process) { $1 }
        if result["POD_NAME"] == nil { result["POD_NAME"] = host.name }
        guard let address = result["INSTANCE_IP"] ?? result["ISTIO_SVC_IP"] ?? host.address, !address.isEmpty else {
            throw Problem(
                description:
                    "this machine has no address but the loopback's; set ISTIO_SVC_IP to the one by which others "
                    + "reach it")
        }
        result["INSTANCE_IP"] = address
        return result
    }

    /// Addresses of the control plane by its names, as the file `hosts` has them: nothing has to be written into
    /// `/etc/hosts`. Empty without the file.
    var hosts: [String: String] {
        var result: [String: String] = [:]
        for line in (AgentPaths.text(file(Self.hostsFile)) ?? "").split(separator: "\n") {
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let address = words.first else { continue }
            for name in words.dropFirst() { result[name] = address }
        }
        return result
    }

    private func text(_ name: String) throws -> String {
        guard let text = AgentPaths.text(file(name)) else {
            throw Problem(
                description: "cannot read \(file(name)); 'weft x workload entry configure --output DIRECTORY' writes it"
            )
        }
        return text
    }

    /// `NAME='value'` on each line, as a shell reads it; a quote in a value is `'\''`.
    static func variables(_ text: String) -> [String: String] {
        var result: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let mark = line.firstIndex(of: "=") else { continue }
            var value = String(line[line.index(after: mark)...]).replacing("'\\''", with: "\u{0}")
            for quote in ["'", "\""] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
                value = String(value.dropFirst().dropLast())
                break
            }
            result[String(line[..<mark])] = value.replacing("\u{0}", with: "'")
        }
        return result
    }
}

/// What the operating system calls the machine.
struct MachineHost: Sendable, Hashable {
    /// Without its domain.
    var name: String
    /// The first address that is not the loopback's; `nil` when there is none.
    var address: String?

    static var current: MachineHost {
        var buffer = [CChar](repeating: 0, count: 256)
        let isKnown = gethostname(&buffer, buffer.count - 1) == 0
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return MachineHost(
            name: isKnown && !name.isEmpty ? String(name.prefix { $0 != "." }) : "machine", address: firstAddress)
    }

    /// IPv4 before IPv6, each in the order of the interfaces; no link-local one.
    private static var firstAddress: String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return nil }
        defer { unsafe freeifaddrs(list) }
        var found: [(family: CInt, text: String)] = []
        var next = unsafe list
        while let item = unsafe next?.pointee {
            unsafe next = item.ifa_next
            guard unsafe item.ifa_flags & UInt32(IFF_UP) != 0,
                unsafe item.ifa_flags & UInt32(IFF_LOOPBACK) == 0, let address = unsafe item.ifa_addr
            else { continue }
            let family = CInt(unsafe address.pointee.sa_family)
            let length = socklen_t(
                family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
            guard family == AF_INET || family == AF_INET6 else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard unsafe getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
                continue
            }
            found.append(
                (family, String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)))
        }
        let usable = found.filter { !$0.text.hasPrefix("fe80:") && !$0.text.contains("%") }
        return (usable.first { $0.family == AF_INET } ?? usable.first)?.text
    }
}
