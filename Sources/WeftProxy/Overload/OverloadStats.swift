import Synchronization
import WeftIR

/// Lines of `/stats` about limits on connections and overload protection, by Envoy's names.
enum OverloadStats {
    static func lines(_ plane: DataPlane) -> [(String, Int)] {
        var result: [(String, Int)] = []
        for (name, counts) in plane.gate.all {
            let place = "listener.\(place(of: name, plane))"
            result += [
                ("\(place).downstream_cx_overflow", counts.overflow.load(ordering: .relaxed)),
                ("\(place).downstream_global_cx_overflow", counts.globalOverflow.load(ordering: .relaxed)),
                ("\(place).downstream_cx_overload_reject", counts.overloadRejects.load(ordering: .relaxed)),
            ]
        }
        let (pressures, levels, failures) = plane.overload.report
        result += pressures.map { ("overload.\($0.key).pressure", $0.value) }
        result += failures.map { ("overload.\($0.key).failed_updates", $0.value) }
        for (measure, level) in levels {
            let part = measure.rawValue
            result.append(("overload.\(part).scale_percent", Int(level * 100)))
            if !measure.isShedPoint { result.append(("overload.\(part).active", level >= 1 ? 1 : 0)) }
        }
        guard !pressures.isEmpty || !failures.isEmpty else { return result }
        return result + [
            ("http.downstream_rq_overload_close", plane.overload.requestsClosed.load(ordering: .relaxed)),
            (
                "http.downstream_cx_overload_disable_keepalive",
                plane.overload.keepAlivesDisabled.load(ordering: .relaxed)
            ),
            (
                "envoy.overload_actions.reset_high_memory_stream.count",
                plane.overload.streamsReset.load(ordering: .relaxed)
            ),
        ]
    }

    /// `127.0.0.1_8080`, as Envoy names listeners in its statistics.
    private static func place(of name: String, _ plane: DataPlane) -> String {
        guard case .ip(let ip, let port)? = plane.snapshot.configuration.listeners[name]?.address else { return name }
        return ip.contains(":") ? "[\(ip)]_\(port)" : "\(ip)_\(port)"
    }
}
