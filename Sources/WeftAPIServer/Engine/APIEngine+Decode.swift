import WeftConfig
import WeftCore

extension APIEngine {
    /// Checks that the body is the resource's kind, and its fields; drops unknown ones, or refuses them when asked to.
    func decode(_ body: JSONValue, _ info: ResourceInfo, _ resource: ResourceID, _ options: WriteOptions) throws
        -> JSONValue
    {
        guard case .object = body else {
            throw APIError.badRequest("the object provided is unrecognized: no JSON object")
        }
        var body = body
        if body["kind"] == nil { body["kind"] = .string(info.kind) }
        if body["apiVersion"] == nil { body["apiVersion"] = .string(info.apiVersion(resource.version)) }
        let stated = KubernetesObject(body).groupVersionKind
        guard stated.kind == info.kind, stated.group == info.group, stated.version == resource.version else {
            throw APIError.badRequest(
                "\(info.kind) in version \"\(stated.version)\" cannot be handled as a \(info.kind): the API version in the data (\(stated.apiVersion), kind \(stated.kind)) does not match the expected API version (\(info.apiVersion(resource.version)))"
            )
        }
        var unknown: [String] = []
        let result: JSONValue
        if case .custom(let schema)? = info.schemas[resource.version] {
            var pruned = schema.prune(body, path: "", root: true, unknown: &unknown)
            var meta = BuiltInDecoder()
            pruned["metadata"] = try decoded(
                body["metadata"] ?? [:], .named("ObjectMeta"), "metadata", info, resource, &meta)
            unknown += meta.unknown
            result = pruned
        } else {
            var decoder = BuiltInDecoder()
            result = try decoded(body, info.schemas[resource.version] ?? .any, "", info, resource, &decoder)
            unknown = decoder.unknown
        }
        if !unknown.isEmpty, options.fieldValidation != "Ignore" {
            let texts = unknown.map { "unknown field \"\($0)\"" }
            if options.fieldValidation == "Strict" {
                let text =
                    "\(info.kind) in version \"\(resource.version)\" cannot be handled as a \(info.kind): strict decoding error: \(texts.joined(separator: ", "))"
                throw APIError.badRequest(text)
            }
            texts.forEach(options.warnings.append)
        }
        return result
    }

    private func decoded(
        _ value: JSONValue, _ type: SchemaType, _ path: String, _ info: ResourceInfo, _ resource: ResourceID,
        _ decoder: inout BuiltInDecoder
    ) throws -> JSONValue {
        do throws(DecodingProblem) {
            return try decoder.decode(value, as: type, path: path, owner: info.kind)
        } catch {
            throw APIError.badRequest(
                "\(info.kind) in version \"\(resource.version)\" cannot be handled as a \(info.kind): \(error.message)")
        }
    }
}
