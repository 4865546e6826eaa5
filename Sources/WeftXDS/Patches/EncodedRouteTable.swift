import Foundation
import SwiftProtobuf
package import WeftIR
import WeftProto

/// A route table as it goes over the wire, of which it is known where each virtual host lies: the next table takes over
/// those that are the same without encoding them again.
package struct EncodedRouteTable: Sendable {
    /// Where a virtual host comes from.
    package enum Host {
        case made(VirtualHost)
        /// The host at a place of a table that was encoded before, for the same target.
        case kept(EncodedRouteTable, Int)
    }
    package let resource: EncodedResource
    /// Each virtual host with its tag and length, in the resource's bytes.
    private let places: [Range<Int>]

    /// - Parameters:
    ///   - table: without its virtual hosts.
    ///   - hosts: in order.
    package init(_ table: RouteConfiguration, hosts: [Host], target: Target) throws {
        var frame = table
        frame.virtualHosts = []
        let empty = try pack(frame.wire(target))
        // Fields are in the order of their numbers: the name, the hosts, everything else.
        var named = WireRoute.Configuration()
        named.name = table.name
        let head = try pack(named).value.count
        var bytes = Data(empty.value.prefix(head))
        var places: [Range<Int>] = []
        places.reserveCapacity(hosts.count)
        for host in hosts {
            let start = bytes.count
            switch host {
            case .kept(let old, let index): bytes.append(old.resource.any.value[old.places[index]])
            case .made(let host):
                var only = WireRoute.Configuration()
                only.virtualHosts = [try host.wire(target)]
                bytes.append(try pack(only).value)
            }
            places.append(start..<bytes.count)
        }
        bytes.append(empty.value.dropFirst(head))
        var any = Google_Protobuf_Any()
        any.typeURL = empty.typeURL
        any.value = bytes
        resource = EncodedResource(any: any)
        self.places = places
    }
}
