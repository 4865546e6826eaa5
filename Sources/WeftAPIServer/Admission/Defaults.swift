import WeftCore

/// Fills in what a user left out of a built-in object, as Kubernetes does.
enum Defaults {
    static func apply(_ object: inout JSONValue, old: JSONValue?) {
        switch object.string("kind") {
        case "Pod":
            pod(&object)
        case "Deployment":
            fill(&object, ["spec", "replicas"], 1)
            fill(&object, ["spec", "strategy", "type"], "RollingUpdate")
            if object.string("spec", "strategy", "type") == "RollingUpdate" {
                fill(&object, ["spec", "strategy", "rollingUpdate", "maxSurge"], "25%")
                fill(&object, ["spec", "strategy", "rollingUpdate", "maxUnavailable"], "25%")
            }
            fill(&object, ["spec", "revisionHistoryLimit"], 10)
            fill(&object, ["spec", "progressDeadlineSeconds"], 600)
            template(&object)
        case "ReplicaSet", "ReplicationController":
            fill(&object, ["spec", "replicas"], 1)
            template(&object)
        case "StatefulSet":
            fill(&object, ["spec", "replicas"], 1)
            fill(&object, ["spec", "podManagementPolicy"], "OrderedReady")
            fill(&object, ["spec", "revisionHistoryLimit"], 10)
            template(&object)
        case "DaemonSet": template(&object)
        case "Job":
            for key in ["parallelism", "completions"] { fill(&object, ["spec", key], 1) }
            fill(&object, ["spec", "backoffLimit"], 6)
            template(&object)
        case "Service": service(&object)
        case "Namespace":
            object[path: "metadata", "labels", "kubernetes.io/metadata.name"] = object[path: "metadata", "name"]
            if old == nil { object["spec"] = ["finalizers": ["kubernetes"]] }
            fill(&object, ["status", "phase"], "Active")
        case "Secret": secret(&object)
        case "CustomResourceDefinition": CustomResources.complete(&object)
        case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration": webhooks(&object)
        default: break
        }
    }

    private static func fill(_ object: inout JSONValue, _ path: [String], _ value: JSONValue) {
        if object[path: path[...]] == nil { object[path: path[...]] = value }
    }

    private static func each(_ value: inout JSONValue, _ key: String, _ change: (inout JSONValue) -> Void) {
        guard case .array(var elements)? = value[key] else { return }
        for index in elements.indices { change(&elements[index]) }
        value[key] = .array(elements)
    }

    private static func template(_ object: inout JSONValue) {
        guard var spec = object[path: "spec", "template", "spec"] else { return }
        podSpec(&spec)
        object[path: "spec", "template", "spec"] = spec
    }

    private static func podSpec(_ spec: inout JSONValue) {
        fill(&spec, ["restartPolicy"], "Always")
        fill(&spec, ["dnsPolicy"], "ClusterFirst")
        fill(&spec, ["terminationGracePeriodSeconds"], 30)
        fill(&spec, ["schedulerName"], "default-scheduler")
        fill(&spec, ["securityContext"], [:])
        if let account = spec["serviceAccountName"] ?? spec["serviceAccount"], account != "" {
            spec["serviceAccountName"] = account
            spec["serviceAccount"] = account
        }
        for key in ["containers", "initContainers"] { each(&spec, key, container) }
        each(&spec, "volumes") { volume in
            if volume.objectValue?.count == 1 { volume["emptyDir"] = [:] }
            for kind in ["configMap", "secret", "projected", "downwardAPI"] where volume[kind] != nil {
                fill(&volume, [kind, "defaultMode"], 420)
            }
            if var projected = volume["projected"] {
                each(&projected, "sources") { source in
                    if source["serviceAccountToken"] != nil {
                        fill(&source, ["serviceAccountToken", "expirationSeconds"], 3600)
                    }
                }
                volume["projected"] = projected
            }
        }
    }

    private static func container(_ container: inout JSONValue) {
        fill(&container, ["terminationMessagePath"], "/dev/termination-log")
        fill(&container, ["terminationMessagePolicy"], "File")
        fill(&container, ["resources"], [:])
        let image = container.string("image")
        let name = image.split(separator: "/").last ?? ""
        let floating = !name.contains("@") && (!name.contains(":") || name.hasSuffix(":latest"))
        fill(&container, ["imagePullPolicy"], floating ? "Always" : "IfNotPresent")
        each(&container, "ports") { fill(&$0, ["protocol"], "TCP") }
        each(&container, "env") { entry in
            if entry[path: "valueFrom", "fieldRef"] != nil {
                fill(&entry, ["valueFrom", "fieldRef", "apiVersion"], "v1")
            }
        }
        for key in ["livenessProbe", "readinessProbe", "startupProbe"] where container[key] != nil {
            let values: [(String, JSONValue)] = [
                ("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3),
            ]
            for (name, value) in values { fill(&container, [key, name], value) }
            if container[path: key, "httpGet"] != nil {
                fill(&container, [key, "httpGet", "scheme"], "HTTP")
                fill(&container, [key, "httpGet", "path"], "/")
            }
        }
    }

    private static func pod(_ object: inout JSONValue) {
        guard var spec = object["spec"] else { return }
        fill(&spec, ["serviceAccountName"], "default")
        podSpec(&spec)
        fill(&spec, ["enableServiceLinks"], true)
        mountToken(&spec)
        object["spec"] = spec
        fill(&object, ["status", "phase"], "Pending")
        fill(&object, ["status", "qosClass"], "BestEffort")
    }

    /// The volume with the API token that every pod gets, unless it says otherwise.
    private static func mountToken(_ spec: inout JSONValue) {
        if spec["automountServiceAccountToken"] == false { return }
        let mountPath: JSONValue = "/var/run/secrets/kubernetes.io/serviceaccount"
        let volumes = spec["volumes"]?.arrayValue ?? []
        let existing = volumes.first { $0.string("name").hasPrefix("kube-api-access-") }?["name"]
        let name = existing ?? .string("kube-api-access-" + APIEngine.suffix())
        var used = false
        for key in ["containers", "initContainers"] {
            each(&spec, key) { container in
                let mounts = container["volumeMounts"]?.arrayValue ?? []
                if mounts.contains(where: { $0["mountPath"] == mountPath }) { return }
                used = true
                container["volumeMounts"] = .array(mounts + [["name": name, "readOnly": true, "mountPath": mountPath]])
            }
        }
        guard used, existing == nil else { return }
        let namespaceItem: JSONValue = [
            "path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"],
        ]
        let volume: JSONValue = [
            "name": name,
            "projected": [
                "defaultMode": 420,
                "sources": [
                    ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
                    ["configMap": ["name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]]]],
                    ["downwardAPI": ["items": [namespaceItem]]],
                ],
            ],
        ]
        spec["volumes"] = .array(volumes + [volume])
    }

    private static func service(_ object: inout JSONValue) {
        fill(&object, ["spec", "type"], "ClusterIP")
        fill(&object, ["spec", "sessionAffinity"], "None")
        if object.string("spec", "type") != "ExternalName" {
            fill(&object, ["spec", "internalTrafficPolicy"], "Cluster")
            fill(&object, ["spec", "ipFamilies"], ["IPv4"])
            fill(&object, ["spec", "ipFamilyPolicy"], "SingleStack")
        }
        if ["LoadBalancer", "NodePort"].contains(object.string("spec", "type")) {
            fill(&object, ["spec", "externalTrafficPolicy"], "Cluster")
        }
        fill(&object, ["status", "loadBalancer"], [:])
        guard var spec = object["spec"] else { return }
        each(&spec, "ports") { port in
            fill(&port, ["protocol"], "TCP")
            fill(&port, ["targetPort"], port["port"] ?? 0)
        }
        object["spec"] = spec
    }

    private static func secret(_ object: inout JSONValue) {
        fill(&object, ["type"], "Opaque")
        for (key, value) in object["stringData"]?.objectValue ?? [:] {
            object[path: "data", key] = .string(Base64.encode(value.stringValue ?? ""))
        }
        object["stringData"] = nil
    }

    private static func webhooks(_ object: inout JSONValue) {
        each(&object, "webhooks") { hook in
            let values: [(String, JSONValue)] = [
                ("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("namespaceSelector", [:]),
                ("objectSelector", [:]), ("timeoutSeconds", 10),
            ]
            for (name, value) in values { fill(&hook, [name], value) }
            if hook[path: "clientConfig", "service"] != nil { fill(&hook, ["clientConfig", "service", "port"], 443) }
            each(&hook, "rules") { fill(&$0, ["scope"], "*") }
        }
    }
}
