"""Envoy bootstraps as dictionaries: the same file starts Envoy and weft-proxy."""

import json

TYPE = "type.googleapis.com/envoy"
HCM = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
HTTP_OPTIONS = f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def router():
    return {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"}}


def rbac(principal):
    """Allows one SPIFFE identity, as an authorization policy would."""
    rules = {"action": "ALLOW", "policies": {"caller": {
        "permissions": [{"any": True}],
        "principals": [{"authenticated": {"principal_name": {"exact": principal}}}]}}}
    return {"name": "envoy.filters.http.rbac", "typed_config": {"@type": f"{TYPE}.extensions.filters.http.rbac.v3.RBAC", "rules": rules}}


def istio_metrics(reporter):
    """Weft's filter for Istio's standard metrics; `reporter` is SOURCE or DESTINATION."""
    return {"name": "istio.stats", "typed_config": {"@type": "type.googleapis.com/weft.v1.Stats", "reporter": reporter}}


def access_log(path):
    """Every request, with what Istio's line tells of it."""
    told = [
        "[%START_TIME%]", '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"', "%RESPONSE_CODE%",
        "%RESPONSE_FLAGS%", "%RESPONSE_CODE_DETAILS%", "%CONNECTION_TERMINATION_DETAILS%",
        '"%UPSTREAM_TRANSPORT_FAILURE_REASON%"', "%BYTES_RECEIVED%", "%BYTES_SENT%", "%DURATION%",
        "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", '"%REQ(X-FORWARDED-FOR)%"', '"%REQ(USER-AGENT)%"',
        '"%REQ(X-REQUEST-ID)%"', '"%REQ(:AUTHORITY)%"', '"%UPSTREAM_HOST%"', "%UPSTREAM_CLUSTER_RAW%",
        "%UPSTREAM_LOCAL_ADDRESS%", "%DOWNSTREAM_LOCAL_ADDRESS%", "%DOWNSTREAM_REMOTE_ADDRESS%",
        "%REQUESTED_SERVER_NAME%", "%ROUTE_NAME%"]
    return {"name": "envoy.access_loggers.file", "typed_config": {
        "@type": f"{TYPE}.extensions.access_loggers.file.v3.FileAccessLog", "path": str(path),
        "log_format": {"text_format_source": {"inline_string": " ".join(told) + "\n"}}}}


def tracing(collector, percent):
    """`percent` of the requests that come without a trace are sampled; spans go to the cluster `collector` by OTLP."""
    provider = {"name": "envoy.tracers.opentelemetry", "typed_config": {
        "@type": f"{TYPE.replace('envoy', 'envoy.config')}.trace.v3.OpenTelemetryConfig", "service_name": "bench",
        "grpc_service": {"envoy_grpc": {"cluster_name": collector}, "timeout": "5s"}}}
    return {"provider": provider, "client_sampling": {"value": 100}, "random_sampling": {"value": percent},
            "overall_sampling": {"value": 100}}


def one_route(cluster):
    return {"name": "local", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}]}


def manager(routes, filters=(), **more):
    config = {"@type": HCM, "stat_prefix": "bench", "http_filters": [*filters, router()], **more}
    config["rds" if "config_source" in routes else "route_config"] = routes
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def tcp_proxy(cluster):
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {
        "@type": f"{TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "bench", "cluster": cluster}}


def listener(port, network_filter, tls=None):
    chain = {"filters": [network_filter]}
    if tls:
        chain["transport_socket"] = tls
    return {"name": f"listener_{port}", "address": address(port), "filter_chains": [chain]}


def cluster(name, port, http2=False, tls=None):
    result = {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": {"cluster_name": name, "endpoints": [
        {"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]}}
    if http2:
        result["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}}
    # The default of 1,024 would refuse a part of the load of some rows.
    limits = {"priority": "DEFAULT", "max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}
    result["circuit_breakers"] = {"thresholds": [limits]}
    if tls:
        result["transport_socket"] = tls
    return result


def of_service(cluster, name):
    """What Istio writes about a cluster's service, for the labels of its metrics."""
    service = {"host": f"{name}.bench.svc.cluster.local", "name": name, "namespace": "bench"}
    return {**cluster, "metadata": {"filter_metadata": {"istio": {"services": [service]}}}}


def with_size_histograms(cluster):
    """The nearest that Envoy alone has to Istio's metrics: histograms of sizes and time budgets per cluster."""
    return {**cluster, "track_cluster_stats": {"timeout_budgets": True, "request_response_sizes": True}}


def _common(name, alpn):
    return {
        "alpn_protocols": alpn,
        "tls_certificate_sds_secret_configs": [{"name": name}],
        "validation_context_sds_secret_config": {"name": "trust"}}


def secrets(certificates):
    """Certificates as static secrets, which is what both proxies read."""
    def text(name):
        return {"inline_string": (certificates / name).read_text()}

    return [
        *({"name": name, "tls_certificate": {"certificate_chain": text(f"{name}.crt"), "private_key": text(f"{name}.key")}}
          for name in ("server", "client")),
        {"name": "trust", "validation_context": {"trusted_ca": text("ca.crt")}}]


def server_tls(alpn=("http/1.1",)):
    return {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True, "common_tls_context": _common("server", list(alpn))}}


def client_tls(alpn=("http/1.1",)):
    return {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "server.bench", "common_tls_context": _common("client", list(alpn))}}


def bootstrap(listeners, clusters, certificates=None):
    result = {
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {"listeners": listeners, "clusters": clusters}}
    if certificates:
        result["static_resources"]["secrets"] = secrets(certificates)
    return result


def many(count, port, backend):
    """`count` virtual hosts with a route each, to `count` clusters."""
    hosts = [{"name": f"host-{index}", "domains": [f"service-{index}.bench.svc.cluster.local"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": f"outbound-{index}"}}]} for index in range(count)]
    hosts.append({"name": "rest", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]})
    clusters = [cluster(f"outbound-{index}", backend) for index in range(count)]
    routes = {"name": "local", "virtual_hosts": hosts}
    return bootstrap([listener(port, manager(routes))], [*clusters, cluster("backend", backend)])


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def dynamic(control_port):
    """A bootstrap whose listeners, clusters and routes come from a control plane, by incremental ADS."""
    control = cluster("control", control_port, http2=True)
    return {
        "node": {"id": "bench", "cluster": "bench"},
        "dynamic_resources": {
            "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3",
                           "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
            "cds_config": {"ads": {}, "resource_api_version": "V3"}},
        "static_resources": {"clusters": [control]}}


def discovered_routes(name="routes"):
    """For ``manager``: the route table `name`, from the control plane."""
    return {"route_config_name": name, "config_source": {"ads": {}, "resource_api_version": "V3"}}


def table(version, hosts, routes, changed=None):
    """`hosts` virtual hosts of `routes` routes each; `/version` on any other host says `version`.

    What differs between versions is the timeout of the routes of the first `changed` hosts (of all without it).
    """
    def route(host, index):
        timeout = 15 + (version % 7 if changed is None or host < changed else 0)
        return {
            "match": {"prefix": f"/api/v{index}", "headers": [{"name": "x-tenant", "string_match": {"exact": f"t{index}"}}]},
            "route": {"cluster": "backend", "timeout": f"{timeout}s", "retry_policy": {"retry_on": "connect-failure", "num_retries": 2}}}

    made = [{"name": f"host-{host}", "domains": [f"service-{host}.bench.svc.cluster.local", f"service-{host}.bench"],
             "routes": [route(host, index) for index in range(routes)]} for host in range(hosts)]
    made.append({"name": "rest", "domains": ["*"], "routes": [
        {"match": {"path": "/version"}, "direct_response": {"status": 200, "body": {"inline_string": f"v{version}"}}},
        {"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]})
    return {"name": "routes", "virtual_hosts": made}
