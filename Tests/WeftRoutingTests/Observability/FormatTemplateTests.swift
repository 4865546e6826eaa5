import Testing
import WeftCore
import WeftIR

/// Format strings as Envoy reads them.
struct FormatTemplateTests {
    @Test(arguments: [
        ("plain", "T(plain)"), ("100%%", "T(100%)"), ("", ""),
        ("%REQ(X-A?X-B):7%x", "V(request x-a ? x-b :7) T(x)"),
        ("a%PROTOCOL%b%%c", "T(a) V(PROTOCOL) T(b%c)"),
        ("%START_TIME(%Y-%m-%dT%H:%M:%S.%3f)%", "V(start %Y-%m-%dT%H:%M:%S.%3f)"),
        ("%START_TIME(%s%3f(x))%%PROTOCOL%", "V(start %s%3f(x)) V(PROTOCOL)"),
        ("%DYNAMIC_METADATA(a.b:c:d)%", "V(metadata [\"a.b\", \"c\", \"d\"])"),
        ("%METADATA(DYNAMIC:a.b:c)%", "V(metadata [\"a.b\", \"c\"])"),
        ("%REQ_WITHOUT_QUERY(X-A?:PATH):7%", "V(without query x-a ? :path :7)"),
        ("%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", "V(RESPONSE_CODE_DETAILS)"),
        ("%GRPC_STATUS(SNAKE_STRING)%", "V(grpc snake)"), ("%GRPC_STATUS_NUMBER%", "V(grpc number)"),
    ])
    func reads(_ text: String, _ pieces: String) throws {
        let found = try FormatTemplate(text).pieces.map { piece in
            switch piece {
            case .text(let text): "T(\(text))"
            case .value(let operation, let limit): "V(\(Self.describe(operation))\(limit.map { " :\($0)" } ?? ""))"
            }
        }
        #expect(found.joined(separator: " ") == pieces)
    }

    private static func describe(_ operation: FormatOperator) -> String {
        switch operation {
        case .plain(let name): name.rawValue
        case .request(let header): "request \(header.name)\(header.alternative.map { " ? \($0)" } ?? "")"
        case .requestWithoutQuery(let header):
            "without query \(header.name)\(header.alternative.map { " ? \($0)" } ?? "")"
        case .startTime(let time): "start \(time.format ?? "-")"
        case .dynamicMetadata(let path): "metadata \(path)"
        case .grpcStatus(let style): "grpc \(style)"
        default: "\(operation)"
        }
    }

    @Test(arguments: [
        ("%", "does not end"), ("%REQ(X%", "does not end"), ("%PROTOCOL", "does not end"),
        ("%PROTOCOL:x%", "does not end"), ("%req(x)%", "does not end"), ("%NO_SUCH%", "does not exist"),
        ("%REQ%", "needs an argument"), ("%REQ(A?B?C)%", "one header or two"), ("%PROTOCOL(X)%", "takes no arguments"),
        ("%DOWNSTREAM_TLS_GROUP%", "is not implemented"), ("%GRPC_STATUS(X)%", "CAMEL_STRING"),
        ("%COMMON_DURATION(DS_RX_BEG:X:ms)%", "takes DS_RX_BEG"), ("%PATH(XX)%", "takes WQ or NQ"),
        ("%METADATA(ROUTE:a:b)%", "takes DYNAMIC"), ("%METADATA(DYNAMIC)%", "takes DYNAMIC"),
    ])
    func refuses(_ text: String, _ reason: String) {
        let error = #expect(throws: FormatError.self) { try FormatTemplate(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    /// Each operator that Envoy's list names is either known here or refused by name.
    @Test func noOperatorIsBoth() {
        let known = Set(FormatOperatorName.allCases.map(\.rawValue))
        #expect(known.isDisjoint(with: FormatOperatorName.withoutValue))
        for name in FormatOperatorName.allCases {
            #expect(throws: Never.self) { try FormatTemplate("%\(name.rawValue)%") }
        }
    }
}
