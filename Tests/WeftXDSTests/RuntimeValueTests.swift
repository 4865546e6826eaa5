import SwiftProtobuf
import Testing
import WeftCore
import WeftIR
import WeftProto

@testable import WeftXDS

/// What a `runtime_key` stands for, as Envoy takes values: a number is a percentage, a fraction is itself, anything else
/// leaves the default.
@Suite struct RuntimeValueTests {
    private let runtime = RuntimeValues([
        "whole": 25, "none": 0, "much": 101, "text": "25", "word": "some", "half": 0.5, "float": 30.0,
        "parts": ["numerator": 7, "denominator": "MILLION"], "hundreds": ["numerator": 7],
        "odd": ["numerator": 7, "denominator": "DOZEN"], "yes": true, "no": false, "Yes": "TRUE", "negative": -1,
    ])

    private func share(_ key: String) -> UInt32 {
        var wire = Envoy_Config_Core_V3_RuntimeFractionalPercent()
        wire.runtimeKey = key
        wire.defaultValue.numerator = 90
        return runtime.fraction(wire).partsPerMillion
    }

    @Test(arguments: [
        ("whole", 250_000), ("none", 0), ("much", 1_000_000), ("text", 250_000), ("word", 900_000), ("half", 900_000),
        ("float", 300_000), ("parts", 7), ("hundreds", 70_000), ("odd", 900_000), ("yes", 900_000), ("", 900_000),
        ("absent", 900_000),
    ])
    func shares(key: String, expected: UInt32) { #expect(share(key) == expected) }

    @Test(arguments: [("yes", true), ("no", false), ("Yes", true), ("whole", true), ("absent", true)])
    func flags(key: String, expected: Bool) {
        var wire = Envoy_Config_Core_V3_RuntimeFeatureFlag()
        wire.runtimeKey = key
        wire.defaultValue.value = true
        #expect(runtime.flag(wire) == expected)
        wire.clearDefaultValue()
        #expect(runtime.flag(wire, otherwise: true) == expected)
    }

    @Test func numbers() {
        var wire = Envoy_Config_Core_V3_RuntimeUInt32()
        wire.defaultValue = 4
        let whole = ["whole", "text", "half", "absent", "negative"].map { key in
            wire.runtimeKey = key
            return runtime.number(wire)
        }
        #expect(whole == [25, 25, 4, 4, 4])
        var double = Envoy_Config_Core_V3_RuntimeDouble()
        double.defaultValue = 1.5
        let doubles = ["whole", "text", "half", "absent"].map { key in
            double.runtimeKey = key
            return runtime.number(double)
        }
        #expect(doubles == [25, 25, 0.5, 1.5])
    }

    /// A filter's number counts in parts of its default's denominator.
    @Test func sampledShares() {
        var share = Envoy_Type_V3_FractionalPercent()
        share.numerator = 5
        share.denominator = .tenThousand
        #expect(runtime.sampled("whole", share).partsPerMillion == 2_500)
        #expect(runtime.sampled("absent", share).partsPerMillion == 500)
    }

    /// Static resources, and those that come later, are read with the values of the bootstrap's layers.
    @Test func bootstrapLayersReachResources() throws {
        let result = try BootstrapDecoder.decode([
            "layered_runtime": ["layers": [["name": "s", "static_layer": ["a": ["b": 30]]]]]
        ])
        var route = WireRoute.Route()
        route.match.prefix = "/"
        route.match.runtimeFraction.runtimeKey = "a.b"
        route.match.runtimeFraction.defaultValue.numerator = 100
        route.route.cluster = "c"
        var host = WireRoute.VirtualHost()
        host.name = "h"
        host.domains = ["*"]
        host.routes = [route]
        var table = WireRoute.Configuration()
        table.name = "t"
        table.virtualHosts = [host]
        for (decoder, expected) in [
            (XDSDecoder(runtime: RuntimeValues(result.bootstrap.runtime)), UInt32(300_000)), (XDSDecoder(), 1_000_000),
        ] {
            guard case .route(let decoded) = try decoder.decode(pack(table)).value else { return #expect(Bool(false)) }
            #expect(decoded.virtualHosts[0].routes[0].match.runtimeFraction?.partsPerMillion == expected)
        }
    }
}
