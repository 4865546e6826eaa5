package import WeftConfig
import WeftCore

/// The Bookinfo demo: a page that calls details and reviews, reviews in three versions, ratings behind two of them.
package enum Bookinfo {
    package static let namespace = "bookinfo"

    private static let release = "1.20.3"
    private static let workloads: [(app: String, versions: [String])] = [
        ("details", ["v1"]), ("ratings", ["v1"]), ("reviews", ["v1", "v2", "v3"]), ("productpage", ["v1"]),
    ]

    /// The namespace (labelled for injection), then services, accounts and deployments, then how traffic comes in.
    package static var objects: [KubernetesObject] {
        var list = [
            KubernetesObject([
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": ["name": .string(namespace), "labels": ["istio-injection": "enabled"]],
            ])
        ]
        for (app, versions) in workloads {
            list += [service(app), account(app)]
            list += versions.map { deployment(app, $0) }
        }
        return list + [gateway, virtualService]
    }

    package static var deployments: [String] { workloads.flatMap { item in item.versions.map { "\(item.app)-\($0)" } } }

    private static func object(
        _ apiVersion: String, _ kind: String, _ name: String, labels: JSONValue? = nil, _ body: JSONValue
    ) -> KubernetesObject {
        var json = body
        json["apiVersion"] = .string(apiVersion)
        json["kind"] = .string(kind)
        json["metadata"] = ["name": .string(name), "namespace": .string(namespace)]
        json[path: "metadata", "labels"] = labels
        return KubernetesObject(json)
    }

    private static func service(_ app: String) -> KubernetesObject {
        object(
            "v1", "Service", app, labels: ["app": .string(app), "service": .string(app)],
            ["spec": ["selector": ["app": .string(app)], "ports": [["port": 9080, "name": "http"]]]])
    }

    private static func account(_ app: String) -> KubernetesObject {
        object("v1", "ServiceAccount", "bookinfo-\(app)", labels: ["account": .string(app)], [:])
    }

    private static func deployment(_ app: String, _ version: String) -> KubernetesObject {
        let labels: JSONValue = ["app": .string(app), "version": .string(version)]
        return object(
            "apps/v1", "Deployment", "\(app)-\(version)", labels: labels,
            [
                "spec": [
                    "replicas": 1, "selector": ["matchLabels": labels],
                    "template": [
                        "metadata": ["labels": labels],
                        "spec": [
                            "serviceAccountName": .string("bookinfo-\(app)"),
                            "containers": [
                                [
                                    "name": .string(app),
                                    "image": .string("docker.io/istio/examples-bookinfo-\(app)-\(version):\(release)"),
                                    "imagePullPolicy": "IfNotPresent", "ports": [["containerPort": 9080]],
                                ]
                            ],
                        ],
                    ],
                ]
            ])
    }

    private static let gateway = object(
        "networking.istio.io/v1", "Gateway", "bookinfo-gateway",
        [
            "spec": [
                "selector": ["istio": "ingressgateway"],
                "servers": [["port": ["number": 80, "name": "http", "protocol": "HTTP"], "hosts": ["*"]]],
            ]
        ])

    private static let virtualService = object(
        "networking.istio.io/v1", "VirtualService", "bookinfo",
        [
            "spec": [
                "hosts": ["*"], "gateways": ["bookinfo-gateway"],
                "http": [
                    [
                        "match": [
                            ["uri": ["exact": "/productpage"]], ["uri": ["prefix": "/static"]],
                            ["uri": ["exact": "/login"]],
                            ["uri": ["exact": "/logout"]], ["uri": ["prefix": "/api/v1/products"]],
                        ],
                        "route": [["destination": ["host": "productpage", "port": ["number": 9080]]]],
                    ]
                ],
            ]
        ])
}
