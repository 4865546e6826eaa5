import Foundation
import SwiftProtobuf
import Testing
import WeftIR
import WeftProto

@testable import WeftXDS

/// Tables that are decoded in pieces: the same result as in one go, and what is wrong is told every time.
@Suite struct RouteTableDecoderTests {
    private func host(_ index: Int, timeout: Int64 = 15) -> WireRoute.VirtualHost {
        var route = WireRoute.Route()
        route.match.prefix = "/r\(index)"
        route.route.cluster = "c\(index)"
        route.route.timeout.seconds = timeout
        var host = WireRoute.VirtualHost()
        host.name = "h\(index)"
        host.domains = ["h\(index).example", "h\(index).other.example"]
        host.routes = [route, route]
        return host
    }

    private func pack(_ hosts: [WireRoute.VirtualHost], _ change: (inout WireRoute.Configuration) -> Void = { _ in })
        throws -> Google_Protobuf_Any
    {
        var table = WireRoute.Configuration()
        table.name = "t"
        table.virtualHosts = hosts
        change(&table)
        return try WeftXDS.pack(table)
    }

    @Test func aSequenceOfTablesDecodesAsEachAlone() throws {
        let kept = XDSDecoder()
        let first = (0..<20).map { host($0) }
        var changed = first
        changed[7] = host(7, timeout: 3)
        let steps: [[WireRoute.VirtualHost]] = [
            first, first, changed, Array(changed.reversed()), Array(changed.dropLast(3)), [], first,
        ]
        for hosts in steps {
            let wire = try pack(hosts) { $0.ignorePortInHostMatching = hosts.count > 15 }
            #expect(try kept.decode(wire) == XDSDecoder().decode(wire))
        }
    }

    /// Storage that is shared shows that a host was not decoded again.
    @Test func whatDidNotChangeIsTheSameValue() throws {
        let decoder = XDSDecoder()
        func hosts(_ wire: Google_Protobuf_Any) throws -> [VirtualHost] {
            guard case .route(let table) = try decoder.decode(wire).value else { return [] }
            return table.virtualHosts
        }
        func storage(_ host: VirtualHost) -> UnsafeRawPointer? {
            host.routes.withUnsafeBufferPointer { UnsafeRawPointer($0.baseAddress) }
        }
        let before = try hosts(pack([host(0), host(1)]))
        let after = try hosts(pack([host(0), host(1, timeout: 1)]))
        #expect(storage(before[0]) == storage(after[0]))
        #expect(storage(before[1]) != storage(after[1]))
    }

    @Test func problemsOfAKeptHostAreToldAgain() throws {
        let decoder = XDSDecoder()
        var odd = host(1)
        // Field 1000 of a route: nobody knows it.
        let known: [UInt8] = try odd.routes[0].serializedBytes()
        odd.routes[0] = try WireRoute.Route(serializedBytes: known + [0xC0, 0x3E, 0x01])
        let wire = try pack([host(0), odd])
        let first = try decoder.decode(wire)
        #expect(first.warnings.count == 1)
        #expect(first.warnings.first?.hasPrefix("virtual_hosts[1].routes[0].field 1000 has no effect") == true)
        #expect(try decoder.decode(wire) == first)
        #expect(first.ignoredFields == ["envoy.config.route.v3.Route.field 1000"])
    }

    /// Hosts of a large table share what is decoded of their routes; a small table decodes each by itself.
    @Test func aLargeTableSharesEqualRoutes() throws {
        var hosts = (0..<70).map { host($0) }
        for index in hosts.indices { hosts[index].routes.append(host(index % 3, timeout: 7).routes[0]) }
        hosts[40].requireTls = .all
        hosts[41].routes = []
        guard case .route(let large) = try XDSDecoder().decode(pack(hosts)).value else {
            Issue.record("no table")
            return
        }
        let single = try hosts.flatMap { host -> [VirtualHost] in
            guard case .route(let table) = try XDSDecoder().decode(pack([host])).value else { return [] }
            return table.virtualHosts
        }
        #expect(large.virtualHosts == single && single.count == hosts.count)
    }

    @Test func whatIsWrongInALargeTableIsToldWithItsPlace() throws {
        var hosts = (0..<70).map { host($0) }
        for index in [3, 65] {
            let known: [UInt8] = try hosts[index].routes[0].serializedBytes()
            hosts[index].routes[1] = try WireRoute.Route(serializedBytes: known + [0xC0, 0x3E, 0x01])
        }
        let places = [3, 65].map { "virtual_hosts[\($0)].routes[1].field 1000 has no effect" }
        let warnings = try XDSDecoder().decode(pack(hosts)).warnings
        #expect(warnings.count == 2 && zip(warnings, places).allSatisfy { $0.hasPrefix($1) })
        hosts[66].routes[1].match = WireRoute.Match()
        #expect {
            _ = try XDSDecoder().decode(pack(hosts))
        } throws: { ($0 as? XDSDecodingError)?.field == "virtual_hosts[66].routes[1].match" }
    }

    @Test(arguments: [
        ("", []), ("5xx", ["5xx"]), (" 5xx , reset,,connect-failure ", ["5xx", "reset", "connect-failure"]),
    ])
    func retryConditionsAreSplitAndTrimmed(_ text: String, _ conditions: [String]) throws {
        var one = host(0)
        one.routes[0].route.retryPolicy.retryOn = text
        guard case .route(let table) = try XDSDecoder().decode(pack([one])).value,
            case .forward(let action) = table.virtualHosts[0].routes[0].action
        else {
            Issue.record("no route that forwards")
            return
        }
        #expect(action.retryPolicy?.retryOn == conditions)
    }

    @Test func errorsNameTheirPlace() throws {
        var broken = host(1)
        broken.routes[1].match = WireRoute.Match()
        #expect {
            _ = try XDSDecoder().decode(pack([host(0), broken]))
        } throws: { error in
            (error as? XDSDecodingError)?.field == "virtual_hosts[1].routes[1].match"
                && (error as? XDSDecodingError)?.resource == "t"
        }
        var twin = host(1)
        twin.domains = ["H0.example"]
        #expect {
            _ = try XDSDecoder().decode(pack([host(0), twin]))
        } throws: { "\($0)".contains("domain H0.example is in more than one virtual host") }
    }

    @Test(
        arguments: [
            [0x12, 0x05, 0x00], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], [0x12],
            [0x13, 0x14],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x12, 0x02, 0x0A, 0x09],
        ] as [[UInt8]])
    func malformedBytesAreRefused(_ bytes: [UInt8]) throws {
        var any = Google_Protobuf_Any()
        any.typeURL = ResourceType.route.typeURL
        any.value = Data(bytes)
        #expect { _ = try XDSDecoder().decode(any) } throws: { "\($0)".contains("malformed envoy.config.route.v3.") }
    }

    /// What is wrong with one host among many is told as of a few.
    @Test func manyHostsAreCheckedAsFewAre() throws {
        let shape = WireShape(of: WireRoute.VirtualHost.protoMessageName)
        let plain = host(1)
        var unknown = plain
        // A field of the match that nobody knows: number 999, the varint 1.
        let match: [UInt8] = try plain.routes[1].match.serializedBytes()
        unknown.routes[1].match = try WireRoute.Match(serializedBytes: match + [0xb8, 0x3e, 1])
        var mapped = plain
        mapped.typedPerFilterConfig["x"] = Google_Protobuf_Any()
        for (host, isObeyed) in [(plain, true), (unknown, false), (mapped, true)] {
            let bytes = try host.serializedData()
            #expect(shape.isObeyed(bytes) == isObeyed && !shape.isObeyed(bytes.dropLast()))
            let findings = try FieldVisitor.findings(in: host)
            #expect(findings.isEmpty == isObeyed)
        }
        let few = try XDSDecoder().decode(pack([host(0), unknown]))
        let many = try XDSDecoder().decode(pack((0..<100).map { $0 == 1 ? unknown : host($0) }))
        #expect(!few.warnings.isEmpty && few.warnings == many.warnings && few.ignoredFields == many.ignoredFields)
    }
}
