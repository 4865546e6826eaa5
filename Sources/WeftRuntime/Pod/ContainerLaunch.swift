import WeftConfig
import WeftCore

/// Everything the launcher needs to know to start one container.
struct ContainerLaunch {
    let container: Container
    let spec: PodSpec
    let volumes: PodVolumes
    let sandbox: Sandbox
    let home: String
    /// The folder of Weft's executables on this machine.
    let binaries: String
    let arguments: [String]
    let environment: [(name: String, value: String)]

    var user: Int { container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser ?? 0 }

    /// User, groups, rights and environment: what `exec` shares with the container.
    func identity() -> LaunchSpec {
        var records = LaunchSpec()
        let context = container.securityContext
        let group = context?.runAsGroup ?? spec.securityContext?.runAsGroup ?? 0
        records.add("uid", String(user))
        records.add("gid", String(group))
        for extra in (spec.securityContext?.supplementalGroups ?? [])
            + (spec.securityContext?.fsGroup.map { [$0] } ?? [])
        {
            records.add("group", String(extra))
        }
        records.add("capabilities", String(Capabilities.mask(context)))
        if context?.allowPrivilegeEscalation == false { records.add("no_new_privs", "1") }
        records.add("directory", container.workingDir ?? "/")
        for variable in environment { records.add("environment", "\(variable.name)=\(variable.value)") }
        return records
    }

    func records(scratch: String, sockets: Int) throws -> LaunchSpec {
        var records = identity()
        records.add("sandbox", String(sandbox.process.pid))
        records.add("root", scratch)
        records.add("bind", "\(binaries)\t\(ImageCatalogue.mountPoint)\tro")
        for name in ["resolv.conf", "hosts", "hostname"] {
            records.add("bind", "\(sandbox.folder)/\(name)\t/etc/\(name)\trw")
        }
        for mount in (container.volumeMounts ?? []).sorted(by: { $0.mountPath < $1.mountPath }) {
            let isData =
                spec.volumes?.first { $0.name == mount.name }.map { $0.emptyDir == nil && $0.hostPath == nil } ?? false
            records.add(
                "bind",
                "\(try volumes.source(mount))\t\(mount.mountPath)\t\(mount.readOnly == true || isData ? "ro" : "rw")")
        }
        let hasAccount = container.volumeMounts?.contains { $0.mountPath == PodVolumes.accountPath } ?? false
        if volumes.mountsAccount, !hasAccount {
            records.add("bind", "\(volumes.path(PodVolumes.accountVolume))\t\(PodVolumes.accountPath)\tro")
        }
        for folder in ["state", "pki", "pods"] { records.add("mask", "\(home)/\(folder)") }
        records.add("inherited", String(sockets))
        for argument in arguments { records.add("argument", argument) }
        return records
    }
}

/// Linux capabilities by the names that Kubernetes uses.
enum Capabilities {
    private static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    ]
    private static let standard: Set<String> = [
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    ]

    /// The bounding set as bits.
    static func mask(_ context: SecurityContext?) -> UInt64 {
        if context?.privileged == true { return .max }
        var kept = standard
        let dropped = (context?.capabilities?.drop ?? []).map { $0.uppercased() }
        if dropped.contains("ALL") { kept = [] }
        kept.subtract(dropped)
        let added = (context?.capabilities?.add ?? []).map { $0.uppercased() }
        if added.contains("ALL") { return .max }
        kept.formUnion(added.map { $0.hasPrefix("CAP_") ? String($0.dropFirst(4)) : $0 })
        return names.enumerated().reduce(0) { kept.contains($1.element) ? $0 | 1 << UInt64($1.offset) : $0 }
    }
}
