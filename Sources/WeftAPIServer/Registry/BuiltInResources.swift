import WeftCore

/// The built-in resources, one row each.
enum BuiltInResources {
    private struct Row {
        var group: String
        var version = "v1"
        var plural: String
        var kind: String
        var short: [String] = []
        var namespaced = true
        var status = false
        var all = false
        var scale = false
        var verbs: [String]?
    }

    private static let rows: [Row] = [
        Row(group: "", plural: "configmaps", kind: "ConfigMap", short: ["cm"]),
        Row(group: "", plural: "endpoints", kind: "Endpoints", short: ["ep"]),
        Row(group: "", plural: "events", kind: "Event", short: ["ev"]),
        Row(group: "", plural: "limitranges", kind: "LimitRange", short: ["limits"]),
        Row(group: "", plural: "namespaces", kind: "Namespace", short: ["ns"], namespaced: false, status: true),
        Row(group: "", plural: "nodes", kind: "Node", short: ["no"], namespaced: false, status: true),
        Row(group: "", plural: "persistentvolumeclaims", kind: "PersistentVolumeClaim", short: ["pvc"], status: true),
        Row(
            group: "", plural: "persistentvolumes", kind: "PersistentVolume", short: ["pv"], namespaced: false,
            status: true),
        Row(group: "", plural: "pods", kind: "Pod", short: ["po"], status: true, all: true),
        Row(group: "", plural: "podtemplates", kind: "PodTemplate"),
        Row(
            group: "", plural: "replicationcontrollers", kind: "ReplicationController", short: ["rc"], status: true,
            all: true, scale: true),
        Row(group: "", plural: "resourcequotas", kind: "ResourceQuota", short: ["quota"], status: true),
        Row(group: "", plural: "secrets", kind: "Secret"),
        Row(group: "", plural: "serviceaccounts", kind: "ServiceAccount", short: ["sa"]),
        Row(group: "", plural: "services", kind: "Service", short: ["svc"], status: true, all: true),
        Row(
            group: "admissionregistration.k8s.io", plural: "mutatingwebhookconfigurations",
            kind: "MutatingWebhookConfiguration", namespaced: false),
        Row(
            group: "admissionregistration.k8s.io", plural: "validatingwebhookconfigurations",
            kind: "ValidatingWebhookConfiguration", namespaced: false),
        Row(
            group: "apiextensions.k8s.io", plural: "customresourcedefinitions", kind: "CustomResourceDefinition",
            short: ["crd", "crds"], namespaced: false, status: true),
        Row(
            group: "apiregistration.k8s.io", plural: "apiservices", kind: "APIService", namespaced: false, status: true,
            verbs: ["get", "list", "watch"]),
        Row(group: "apps", plural: "controllerrevisions", kind: "ControllerRevision"),
        Row(group: "apps", plural: "daemonsets", kind: "DaemonSet", short: ["ds"], status: true, all: true),
        Row(
            group: "apps", plural: "deployments", kind: "Deployment", short: ["deploy"], status: true, all: true,
            scale: true),
        Row(
            group: "apps", plural: "replicasets", kind: "ReplicaSet", short: ["rs"], status: true, all: true,
            scale: true),
        Row(
            group: "apps", plural: "statefulsets", kind: "StatefulSet", short: ["sts"], status: true, all: true,
            scale: true),
        Row(
            group: "authentication.k8s.io", plural: "selfsubjectreviews", kind: "SelfSubjectReview", namespaced: false,
            verbs: ["create"]),
        Row(
            group: "authentication.k8s.io", plural: "tokenreviews", kind: "TokenReview", namespaced: false,
            verbs: ["create"]),
        Row(
            group: "authorization.k8s.io", plural: "localsubjectaccessreviews", kind: "LocalSubjectAccessReview",
            verbs: ["create"]),
        Row(
            group: "authorization.k8s.io", plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview",
            namespaced: false, verbs: ["create"]),
        Row(
            group: "authorization.k8s.io", plural: "selfsubjectrulesreviews", kind: "SelfSubjectRulesReview",
            namespaced: false, verbs: ["create"]),
        Row(
            group: "authorization.k8s.io", plural: "subjectaccessreviews", kind: "SubjectAccessReview",
            namespaced: false, verbs: ["create"]),
        Row(
            group: "autoscaling", version: "v2", plural: "horizontalpodautoscalers", kind: "HorizontalPodAutoscaler",
            short: ["hpa"], status: true, all: true),
        Row(group: "batch", plural: "cronjobs", kind: "CronJob", short: ["cj"], status: true, all: true),
        Row(group: "batch", plural: "jobs", kind: "Job", status: true, all: true),
        Row(group: "coordination.k8s.io", plural: "leases", kind: "Lease"),
        Row(group: "discovery.k8s.io", plural: "endpointslices", kind: "EndpointSlice"),
        Row(group: "events.k8s.io", plural: "events", kind: "Event", short: ["ev"]),
        Row(group: "networking.k8s.io", plural: "ingressclasses", kind: "IngressClass", namespaced: false),
        Row(group: "networking.k8s.io", plural: "ingresses", kind: "Ingress", short: ["ing"], status: true),
        Row(group: "networking.k8s.io", plural: "networkpolicies", kind: "NetworkPolicy", short: ["netpol"]),
        Row(group: "policy", plural: "poddisruptionbudgets", kind: "PodDisruptionBudget", short: ["pdb"], status: true),
        Row(
            group: "rbac.authorization.k8s.io", plural: "clusterrolebindings", kind: "ClusterRoleBinding",
            namespaced: false),
        Row(group: "rbac.authorization.k8s.io", plural: "clusterroles", kind: "ClusterRole", namespaced: false),
        Row(group: "rbac.authorization.k8s.io", plural: "rolebindings", kind: "RoleBinding"),
        Row(group: "rbac.authorization.k8s.io", plural: "roles", kind: "Role"),
        Row(
            group: "scheduling.k8s.io", plural: "priorityclasses", kind: "PriorityClass", short: ["pc"],
            namespaced: false),
        Row(group: "storage.k8s.io", plural: "storageclasses", kind: "StorageClass", short: ["sc"], namespaced: false),
    ]

    static let all: [ResourceInfo] = rows.map { row in
        var info = ResourceInfo(
            group: row.group, versions: [row.version], plural: row.plural, singular: row.kind.lowercased(),
            kind: row.kind,
            storageVersion: row.version)
        info.shortNames = row.short
        info.categories = row.all ? ["all"] : row.plural == "customresourcedefinitions" ? ["api-extensions"] : []
        info.namespaced = row.namespaced
        info.hasStatus = row.status
        if row.scale {
            info.scale = ScalePaths(
                specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"], selector: nil)
        }
        if let verbs = row.verbs { info.verbs = verbs }
        if let type = BuiltInTypes.type(of: row.kind) { info.schemas[row.version] = type }
        info.columns[row.version] = BuiltInColumns.columns(for: row.kind)
        return info
    }
}
