// swift-tools-version: 6.2
import PackageDescription

/// Settings of every hand-written target. Warnings are errors: a warning nobody must fix is a warning nobody reads.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Settings of the targets that a request passes through. Release builds leave dynamic exclusivity checks to debug
/// builds, in which all tests run (ADR 0024).
let hot: [SwiftSetting] =
    strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// A release build of the proxy answers the exclusivity checks of SwiftNIO, which is compiled with them, by two empty
/// functions of CWeftLinux (ADR 0024, ADR 0086).
let withoutChecks = LinkerSetting.unsafeFlags(
    ["-Xlinker", "--wrap=swift_beginAccess", "-Xlinker", "--wrap=swift_endAccess"], .when(configuration: .release))

/// Generated code takes the language mode alone.
let generated: [SwiftSetting] = [.swiftLanguageMode(.v6)]

// Third-party products, named once. A heavy dependency has one home target (see dev/layers.txt).
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioFoundationCompat = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcNIO = Target.Dependency.product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let certificateReloading = Target.Dependency.product(name: "NIOCertificateReloading", package: "swift-nio-extras")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

/// `swift test --filter` still builds every test target, because they share one bundle. `dev/test TARGET` sets this
/// variable to build the named ones alone.
let onlyTests = Context.environment["WEFT_TESTS"]?.split(separator: ",").map(String.init)

func tests(_ target: String, _ more: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(target)Tests", dependencies: [.byName(name: target)] + more, resources: resources,
        swiftSettings: strict)
}

let testTargets: [Target] = [
    tests("WeftRuntime", ["WeftCore", "WeftConfig", nioCore]),
    tests("WeftControllers", ["WeftCore", "WeftConfig"]),
    tests("WeftCore"),
    tests("WeftJWT", ["WeftCore", "WeftHTTP", "WeftIR", crypto, cryptoExtras]),
    tests(
        "WeftProxy",
        [
            "CAllocationCounter", "TestSupport", "WeftADS", "WeftCore", "WeftHTTP", "WeftIR", "WeftIdentity",
            "WeftRouting", "WeftTransport", "WeftProto", nioCore, nioEmbedded, nioPosix, nioSSL, protobuf,
        ]),
    tests("WeftTransport", ["CWeftTLS", "WeftHTTP", "WeftIR", "WeftIdentity", nioCore, nioPosix, nioEmbedded, nioSSL]),
    tests("WeftXDS", ["WeftCore", "WeftIR", "WeftProto", protobuf]),
    tests("WeftAnalysis", ["WeftCore", "WeftConfig"]),
    tests("WeftAPIServer", ["TestSupport", "WeftConfig", "WeftCore", "WeftManifests"]),
    tests("WeftKubernetes", ["WeftCore", "WeftConfig", nioCore, nioPosix, nioHTTP1]),
    tests("WeftAdmin", ["WeftCore", "WeftDashboard", hummingbird, logging]),
    tests("WeftTelemetry", ["CWeftZlib", "TestSupport", "WeftCore", logging]),
    tests(
        "WeftDashboard",
        [
            "TestSupport", "WeftADS", "WeftAdmin", "WeftConfig", "WeftControlPlane", "WeftCore", "WeftKubernetes",
            "WeftTelemetry", hummingbird, logging,
        ]),
    tests("WeftMetrics"),
    tests(
        "WeftControlPlane",
        [
            "CAllocationCounter", "TestSupport", "WeftADS", "WeftAPIServer", "WeftAnalysis", "WeftCA", "WeftCore",
            "WeftConfig",
            "WeftIR",
            "WeftIdentity", "WeftInject", "WeftKubernetes", "WeftManifests", "WeftProto", "WeftRouting",
            "WeftTranslate", "WeftXDS", grpcCore, grpcNIO, hummingbird, logging, nioCore,
            protobuf, x509, asn1,
        ], resources: [.copy("proxyless.py")]),
    tests("WeftIdentity", [x509]),
    tests("WeftCLI", ["WeftCore", "WeftConfig", "WeftIdentity", "WeftManifests", argumentParser]),
    tests("WeftInject", ["WeftCore", "WeftConfig"]),
    tests("WeftManifests", ["WeftCore", "WeftConfig"]),
    tests("WeftCA", ["WeftIdentity", grpcCore, grpcNIO, logging]),
    tests("WeftADS", ["TestSupport", "WeftCore", "WeftIR", "WeftIdentity", "WeftProto", "WeftXDS", grpcCore, logging]),
    tests(
        "WeftTranslate",
        ["WeftCore", "WeftConfig", "WeftHTTP", "WeftIR", "WeftJWT", "WeftRouting", "WeftXDS", crypto, nioCore],
        resources: [.copy("Golden")]),
    tests("WeftConfig", ["WeftCore"]),
    tests("WeftHTTP", ["WeftCore", nioCore, nioHPACK]),
    tests("WeftRouting", ["WeftCore", "WeftHTTP", "WeftIR", nioCore]),
    .testTarget(name: "ArchitectureTests", dependencies: ["WeftCore"], swiftSettings: strict),
    .testTarget(
        name: "EndToEndTests", dependencies: ["TestSupport", subprocess], exclude: ["authorizer.py"],
        swiftSettings: strict),
    .testTarget(
        name: "DifferentialTests", dependencies: ["TestSupport", nioSSL],
        exclude: ["known-differences.txt", "services.py"],
        swiftSettings: strict),
    .testTarget(
        name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], exclude: ["Corpus"], swiftSettings: strict),
    .testTarget(name: "HostileInputTests", dependencies: ["TestSupport", nioCore, nioHPACK], swiftSettings: strict),
]

/// libFuzzer brings its own `main`, so its executable exists for `dev/fuzz` alone.
let fuzzRunner: [Target] =
    Context.environment["WEFT_FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "weft-fuzz", dependencies: ["FuzzTargets"], path: "Tests/FuzzRunner", swiftSettings: generated)
    ]

/// `dev/telemetry-bench`, `dev/dashboard-bench` and `dev/scale` alone build them.
let benches: [Target] =
    Context.environment["WEFT_BENCH"] == nil
    ? []
    : [
        .executableTarget(
            name: "weft-telemetry-bench", dependencies: ["WeftTelemetry", logging], path: "Tests/TelemetryBench",
            swiftSettings: strict),
        .executableTarget(
            name: "weft-dashboard-bench",
            dependencies: [
                "TestSupport", "WeftAdmin", "WeftCore", "WeftDashboard", "WeftTelemetry", hummingbird, logging,
            ], path: "Tests/DashboardBench", swiftSettings: strict),
        .executableTarget(
            name: "weft-scale-proxies", dependencies: [nioCore, nioPosix, nioHPACK, nioHTTP2],
            path: "Tests/ScaleProxies", swiftSettings: strict),
    ]

let package = Package(
    name: "weft",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "weft", targets: ["weft"]),
        .executable(name: "weftd", targets: ["weftd"]),
        .executable(name: "weft-proxy", targets: ["weft-proxy"]),
        .executable(name: "weft-node", targets: ["weft-node"]),
        .executable(name: "weft-samples", targets: ["weft-samples"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // base
        .target(name: "CWeftLinux"),
        .target(name: "CWeftZlib", linkerSettings: [.linkedLibrary("z")]),
        // What of BoringSSL NIOSSL does not offer (ADR 0028).
        .target(name: "CWeftTLS", dependencies: [nioSSL]),
        // Counts heap allocations; tests alone link it.
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .target(name: "WeftCore", dependencies: [], swiftSettings: hot),
        .target(name: "WeftMetrics", dependencies: [], swiftSettings: hot),
        // model
        .target(name: "WeftHTTP", dependencies: ["CWeftZlib", nioCore], swiftSettings: hot),
        .target(name: "WeftIR", dependencies: ["WeftCore"], swiftSettings: hot),
        .target(name: "WeftProto", dependencies: [protobuf], exclude: ["Protos"], swiftSettings: generated),
        .target(name: "WeftIdentity", dependencies: [x509, asn1, crypto], swiftSettings: strict),
        .target(name: "WeftYAML", dependencies: ["WeftCore", yams], swiftSettings: strict),
        .target(name: "WeftConfig", dependencies: ["WeftCore", "WeftYAML"], swiftSettings: strict),
        // pure
        .target(name: "WeftRouting", dependencies: ["WeftCore", "WeftHTTP", "WeftIR", nioCore], swiftSettings: hot),
        .target(name: "WeftXDS", dependencies: ["WeftCore", "WeftIR", "WeftProto", protobuf], swiftSettings: strict),
        .target(name: "WeftTranslate", dependencies: ["WeftCore", "WeftConfig", "WeftIR"], swiftSettings: strict),
        .target(
            name: "WeftAnalysis", dependencies: ["WeftCore", "WeftConfig", "WeftIR", "WeftXDS"], swiftSettings: strict),
        .target(name: "WeftInject", dependencies: ["WeftCore", "WeftConfig"], swiftSettings: strict),
        .target(name: "WeftManifests", dependencies: ["WeftCore", "WeftConfig"], swiftSettings: strict),
        .target(name: "WeftControllers", dependencies: ["WeftCore", "WeftConfig"], swiftSettings: strict),
        // tokens: pure, and the home of RSA
        .target(
            name: "WeftJWT",
            dependencies: ["WeftCore", "WeftHTTP", "WeftIR", "WeftRouting", nioCore, crypto, cryptoExtras],
            swiftSettings: strict),
        // I/O
        .target(
            name: "WeftTransport",
            dependencies: [
                "CWeftLinux", "CWeftTLS", "WeftHTTP", "WeftIR", nioCore, nioPosix, nioSSL, nioTLS, crypto,
            ], swiftSettings: hot),
        .target(
            name: "WeftADS",
            dependencies: [
                "WeftCore", "WeftIR", "WeftIdentity", "WeftProto", "WeftXDS", grpcCore, grpcNIO, grpcProtobuf, protobuf,
                logging, nioCore, nioSSL, certificateReloading,
            ], swiftSettings: strict),
        .target(
            name: "WeftAdmin",
            dependencies: [hummingbird, hummingbirdCore, logging, nioCore, nioPosix, nioSSL, serviceLifecycle],
            swiftSettings: strict),
        .target(
            name: "WeftKubernetes",
            dependencies: ["WeftCore", "WeftConfig", asyncHTTPClient, nioCore, nioPosix, nioHTTP1, nioSSL, logging],
            swiftSettings: strict),
        .target(
            name: "WeftCA",
            dependencies: ["WeftIdentity", "WeftProto", grpcCore, grpcNIO, grpcProtobuf, logging], swiftSettings: strict
        ),
        .target(
            name: "WeftTelemetry", dependencies: ["CWeftZlib", "WeftCore", logging],
            swiftSettings: strict),
        .target(
            name: "WeftDashboard", dependencies: ["WeftCore", hummingbird], resources: [.embedInCode("Web")],
            swiftSettings: strict),
        .target(
            name: "WeftAPIServer",
            dependencies: [
                "WeftCore", "WeftConfig", "WeftIdentity", grdb, nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL,
                nioFoundationCompat, asyncHTTPClient, x509, asn1, crypto, logging,
            ], swiftSettings: strict),
        .target(
            name: "WeftRuntime",
            dependencies: ["CWeftLinux", "WeftCore", "WeftConfig", nioCore, nioPosix],
            swiftSettings: strict),
        // join
        .target(
            name: "WeftProxy",
            dependencies: [
                "CWeftLinux", "WeftADS", "WeftCA", "WeftCore", "WeftHTTP", "WeftIR", "WeftIdentity", "WeftMetrics",
                "WeftJWT",
                "WeftRouting", "WeftTransport", "WeftXDS", "WeftYAML", argumentParser, logging, nioCore, nioPosix,
                nioSSL, protobuf,
            ], swiftSettings: hot),
        .target(
            name: "WeftCLI",
            dependencies: [
                "WeftAnalysis", "WeftConfig", "WeftCore", "WeftIdentity", "WeftInject", "WeftKubernetes",
                "WeftManifests", argumentParser, nioCore,
            ], swiftSettings: strict),
        .target(
            name: "WeftSamples",
            dependencies: ["WeftCore", argumentParser, nioCore, nioPosix, nioHTTP1, nioHTTP2],
            swiftSettings: strict),
        .target(
            name: "WeftControlPlane",
            dependencies: [
                "WeftADS", "WeftAdmin", "WeftAnalysis", "WeftCA", "WeftConfig", "WeftCore", "WeftDashboard", "WeftIR",
                "WeftIdentity", "WeftInject", "WeftKubernetes", "WeftMetrics", "WeftTelemetry", "WeftTranslate",
                "WeftXDS", argumentParser, logging, serviceLifecycle, unixSignals, hummingbird, crypto, nioCore, nioSSL,
            ], swiftSettings: strict),
        .target(
            name: "WeftNode",
            dependencies: [
                "CWeftLinux", "WeftAPIServer", "WeftConfig", "WeftControllers", "WeftCore", "WeftRuntime",
                argumentParser, logging, nioCore,
            ], swiftSettings: strict),
        // tests: processes and sockets of the suites that start servers
        .target(
            name: "TestSupport",
            dependencies: ["WeftCore", logging, subprocess, nioCore, nioEmbedded, nioHPACK, nioSSL, nioTLS],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "WeftCore", "WeftHTTP", "WeftJWT", "WeftRouting", "WeftTelemetry", "WeftTransport", "WeftXDS", nioCore,
                protobuf,
            ],
            path: "Tests/FuzzTargets", swiftSettings: strict),
        // run
        .executableTarget(name: "weft", dependencies: ["WeftCLI"], swiftSettings: strict),
        .executableTarget(name: "weftd", dependencies: ["WeftControlPlane", argumentParser], swiftSettings: strict),
        .executableTarget(
            name: "weft-proxy", dependencies: ["WeftProxy"], swiftSettings: strict, linkerSettings: [withoutChecks]),
        .executableTarget(name: "weft-node", dependencies: ["WeftNode"], swiftSettings: strict),
        .executableTarget(name: "weft-samples", dependencies: ["WeftSamples", argumentParser], swiftSettings: strict),
    ] + fuzzRunner + benches + testTargets.filter { onlyTests?.contains($0.name) ?? true }
)
