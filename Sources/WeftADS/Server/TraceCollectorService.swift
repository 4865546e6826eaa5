package import GRPCCore

/// OpenTelemetry's `TraceService` (opentelemetry-proto, `collector/trace/v1`), which takes spans in. Messages pass as
/// bytes: who takes them reads them.
package struct TraceCollectorService: RegistrableRPCService {
    private let export: @Sendable ([UInt8]) throws -> [UInt8]

    /// - Parameter export: Reads an `ExportTraceServiceRequest`, gives the `ExportTraceServiceResponse`. What it throws
    ///   becomes `INVALID_ARGUMENT` with the error's text.
    package init(export: @escaping @Sendable ([UInt8]) throws -> [UInt8]) { self.export = export }

    package func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        let export = export
        router.registerHandler(
            forMethod: MethodDescriptor(
                fullyQualifiedService: "opentelemetry.proto.collector.trace.v1.TraceService", method: "Export"),
            deserializer: PlainBytes(), serializer: PlainBytes()
        ) { request, _ in
            StreamingServerResponse { writer in
                for try await message in request.messages {
                    do {
                        try await writer.write(try export(message))
                    } catch let error as RPCError {
                        throw error
                    } catch {
                        throw RPCError(code: .invalidArgument, message: "\(error)")
                    }
                }
                return [:]
            }
        }
    }
}
