import WeftCore

extension KubernetesObject {
    /// The object without the values of its `spec` that have the wrong form, and their paths.
    ///
    /// A member is taken out; an element of a list gives way to an empty one, so that those after it keep their places.
    /// - Returns: `nil` if there is more to take out than `limit`.
    package func withoutMalformedFields<Spec: IstioSpec>(
        as type: Spec.Type, limit: Int
    ) -> (object: KubernetesObject, paths: [String])? {
        var object = self
        var paths: [String] = []
        while paths.count <= limit {
            do {
                _ = try object.spec(type)
                return (object, paths)
            } catch let error as DecodingError {
                guard object.json.remove(at: error.location, filler: error.filler) else { return nil }
                paths.append(error.fieldPath)
            } catch {
                return nil
            }
        }
        return nil
    }
}

extension DecodingError {
    /// What stands for an element of a list that has the wrong form: nothing, in the form that is asked for.
    var filler: JSONValue {
        guard case .typeMismatch(let type, _) = self else { return "" }
        if type == [JSONValue].self { return [] }
        return type == [String: JSONValue].self ? [:] : ""
    }
}
