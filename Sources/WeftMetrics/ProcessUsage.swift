#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What this process has used of the machine, under the names that Prometheus's client libraries use.
package enum ProcessUsage {
    /// Processor seconds since the start, user and system together.
    package static var processorSeconds: Double {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Resident memory in bytes: the second number of `/proc/self/statm`, in pages (proc(5)); 0 where there is none.
    package static var residentBytes: Int {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        let fields = bytes[..<count].split(separator: 32)
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Both in Prometheus's text form.
    /// - Parameter prefix: Istio's agents put `istio_agent_` before the names, so that the application's own stay apart.
    package static func text(prefix: String = "") -> String {
        """
        # TYPE \(prefix)process_cpu_seconds_total counter
        \(prefix)process_cpu_seconds_total \(processorSeconds)
        # TYPE \(prefix)process_resident_memory_bytes gauge
        \(prefix)process_resident_memory_bytes \(residentBytes)

        """
    }
}
