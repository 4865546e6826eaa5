import Testing
import WeftCore

@testable import WeftCLI

@Suite struct OutputTests {
    @Test func tableColumnsAreAligned() {
        let table = Table(["NAME", "PORT"], rows: [["reviews", "9080"], ["x", "1"]])
        #expect(table.text == "NAME      PORT\nreviews   9080\nx         1")
    }

    let dump = ProxyDump(json: [
        "configs": [
            [
                "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
                "dynamic_active_clusters": [
                    ["cluster": ["name": "outbound|9080|v1|reviews.b.svc.cluster.local", "type": "EDS"]],
                    ["cluster": ["name": "PassthroughCluster", "type": "ORIGINAL_DST"]],
                ],
            ],
            [
                "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
                "dynamic_route_configs": [
                    [
                        "route_config": [
                            "name": "http.8080",
                            "virtual_hosts": [
                                [
                                    "name": "*:8080", "domains": ["*"],
                                    "routes": [
                                        [
                                            "match": ["path": "/productpage"],
                                            "metadata": [
                                                "filter_metadata": [
                                                    "istio": [
                                                        "config":
                                                            "/apis/networking.istio.io/v1/namespaces/b/virtual-service/bookinfo"
                                                    ]
                                                ]
                                            ],
                                        ]
                                    ],
                                ]
                            ],
                        ]
                    ]
                ],
            ],
        ]
    ])

    @Test func clusterTableAndFilter() {
        let all = ProxyTables.clusters(dump, filter: ProxyTables.ClusterFilter())
        #expect(all.rows.count == 2)
        let some = ProxyTables.clusters(dump, filter: ProxyTables.ClusterFilter(port: 9080, subset: "v1"))
        #expect(some.rows == [["reviews.b.svc.cluster.local", "9080", "v1", "outbound", "EDS", ""]])
        #expect(ProxyTables.clusters(dump, filter: ProxyTables.ClusterFilter(direction: "inbound")).rows.isEmpty)
    }

    @Test func routeTableNamesTheVirtualService() {
        let rows = ProxyTables.routes(dump, name: nil).rows
        #expect(rows == [["http.8080", "*:8080", "*", "/productpage", "bookinfo.b"]])
        #expect(ProxyTables.routes(dump, name: "other").rows.isEmpty)
    }

    @Test func endpointTable() {
        let clusters: JSONValue = [
            "cluster_statuses": [
                [
                    "name": "c",
                    "host_statuses": [
                        [
                            "address": ["socket_address": ["address": "10.0.0.1", "port_value": 80]],
                            "health_status": ["eds_health_status": "HEALTHY", "failed_outlier_check": true],
                        ]
                    ],
                ]
            ]
        ]
        let rows = ProxyTables.endpoints(clusters, cluster: nil, port: nil, status: nil).rows
        #expect(rows == [["10.0.0.1:80", "HEALTHY", "FAILED", "c"]])
        #expect(ProxyTables.endpoints(clusters, cluster: nil, port: nil, status: "unhealthy").rows.isEmpty)
    }

    @Test func proxyStatus() {
        let explicit = ProxySync(
            ["proxy": "a.b", "cluster_id": "Kubernetes", "istio_version": "1.31.0", "status": ["cds": "SYNCED"]],
            istiod: "istiod-1")
        #expect(explicit.states["cds"] == "SYNCED")
        #expect(explicit.states["rds"] == "NOT SENT")
        let versions = ProxySync(
            ["cluster_sent": "2", "cluster_acked": "1", "listener_sent": "2", "listener_acked": "2"], istiod: "i")
        #expect(versions.states["cds"] == "STALE")
        #expect(versions.states["lds"] == "SYNCED")
        #expect(!versions.isSynced)
        let row = ProxySync.table([explicit]).rows[0]
        #expect(
            row == ["a.b", "Kubernetes", "SYNCED", "NOT SENT", "NOT SENT", "NOT SENT", "IGNORED", "istiod-1", "1.31.0"])
    }

    @Test func findingsLookLikeIstios() {
        let finding = Diagnostic(
            .error, code: "IST0101",
            resource: ResourceReference(kind: "VirtualService", namespace: "dev", name: "backend"),
            message: "Referenced host not found: \"x\"")
        #expect(
            AnalysisReport.text([finding], namespace: "dev")
                == "Error [IST0101] (VirtualService dev/backend) Referenced host not found: \"x\"")
        #expect(
            AnalysisReport.text([], namespace: "dev") == "✔ No validation issues found when analyzing namespace: dev.")
        #expect(AnalysisReport.json(finding)["origin"] == "VirtualService dev/backend")
    }

    @Test func versions() {
        let report = VersionReport(
            client: "0.1.0", controlPlane: ["1.31.0"], dataPlane: ["1.31.0", "1.31.0", "1.40.0"])
        #expect(
            report.text
                == """
                client version: 0.1.0
                control plane version: 1.31.0
                data plane version: 1.31.0 (2 proxies), 1.40.0 (1 proxy)
                """)
    }
}
