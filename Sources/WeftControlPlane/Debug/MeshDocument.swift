import Foundation
import Synchronization
import WeftCore
import WeftIdentity

/// The authority once there is one, for pages that are served before. Thread-safe.
final class ShownAuthority: Sendable {
    private let state = Mutex<CurrentAuthority?>(nil)
    var current: CurrentAuthority? {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// `/api/mesh` of the dashboard: the control plane and its roots. Pure.
enum MeshDocument {
    static func make(trustDomain: String, bundlePEM: String, services: Int, pods: Int) -> JSONValue {
        let roots = (try? CertificateInfo.all(inPEM: bundlePEM)) ?? []
        return [
            "version": .string(WeftVersion.current), "istioVersion": .string(WeftVersion.istioCompatibility),
            "trustDomain": .string(trustDomain), "services": .int(Int64(services)), "pods": .int(Int64(pods)),
            "roots": .array(
                roots.map {
                    [
                        "subject": .string($0.subject), "serial": .string($0.serialNumber),
                        "notAfter": .double($0.notAfter.timeIntervalSince1970),
                    ]
                }),
        ]
    }
}
