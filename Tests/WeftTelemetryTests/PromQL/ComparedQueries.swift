/// What Kiali and Istio's Grafana dashboards ask, and the edges of each function.
enum ComparedQueries {
    /// Kiali's graph, health and metrics.
    static let kiali: [String] = {
        let groups =
            "source_cluster,source_workload_namespace,source_workload,source_canonical_service,source_canonical_revision,"
            + "destination_cluster,destination_service_namespace,destination_service,destination_service_name,"
            + "destination_workload_namespace,destination_workload,destination_canonical_service,destination_canonical_revision"
        let http = "\(groups),request_protocol,response_code,grpc_response_status,response_flags"
        var list: [String] = []
        for reporter in ["source", "destination"] {
            for filter in [
                "destination_service_namespace=\"bookinfo\"", "source_workload_namespace=\"bookinfo\"",
                "source_workload_namespace!=\"bookinfo\",destination_service_namespace=\"bookinfo\"",
            ] {
                list.append("sum(rate(istio_requests_total{reporter=\"\(reporter)\",\(filter)}[60s])) by (\(http)) > 0")
            }
            list.append(
                "sum(rate(istio_tcp_sent_bytes_total{reporter=\"\(reporter)\",source_workload_namespace=\"bookinfo\"}[60s])) by (\(groups),response_flags)"
            )
            list.append(
                "sum(rate(istio_requests_total{reporter=\"\(reporter)\"}[5m])) by (source_principal,destination_principal,connection_security_policy)"
            )
        }
        list += [
            "histogram_quantile(0.95, sum(rate(istio_request_duration_milliseconds_bucket{reporter=\"destination\",destination_service_namespace=\"bookinfo\"}[60s])) by (le,source_workload,destination_workload)) > 0",
            "histogram_quantile(0.99, sum(rate(istio_request_duration_milliseconds_bucket{reporter=~\"source|destination\"}[5m])) by (le))",
            "sum(rate(istio_request_duration_milliseconds_sum{reporter=\"source\"}[1m])) by (destination_service) / sum(rate(istio_request_duration_milliseconds_count{reporter=\"source\"}[1m])) by (destination_service)",
            "sum(rate(istio_request_messages_total{reporter=\"source\"}[60s])) by (source_workload,destination_workload)",
            "sum(increase(istio_requests_total{reporter=\"destination\",destination_workload=~\"reviews.*\"}[10m])) by (response_code)",
            "round(sum(rate(pilot_proxy_convergence_time_sum[5m])) / sum(rate(pilot_proxy_convergence_time_count[5m])), 0.001) > 0 or on() vector(0)",
            "sum(rate(istio_requests_total{reporter=\"source\",response_code!~\"5..\"}[1m])) / sum(rate(istio_requests_total{reporter=\"source\"}[1m]))",
            "sum(irate(process_cpu_seconds_total{app=\"istiod\"}[1m])) by (instance)",
        ]
        return list
    }()

    /// Istio's mesh, service, workload, performance and control-plane dashboards.
    static let grafana = [
        "round(sum(irate(istio_requests_total{reporter=\"destination\"}[1m])), 0.001)",
        "sum(rate(istio_requests_total{reporter=~\"source|waypoint\", response_code!~\"5.*\"}[1m])) / sum(rate(istio_requests_total{reporter=~\"source|waypoint\"}[1m]))",
        "sum(irate(istio_requests_total{reporter=\"source\", response_code=~\"4.*\"}[1m])) or vector(0)",
        "sum(irate(istio_requests_total{reporter=\"source\", response_code=~\"5.*\"}[1m])) or vector(0)",
        "label_join(sum(rate(istio_requests_total{reporter=\"source\", response_code=\"200\"}[1m])) by (destination_workload, destination_workload_namespace, destination_service), \"destination_workload_var\", \".\", \"destination_workload\", \"destination_workload_namespace\")",
        "label_join((sum(rate(istio_requests_total{reporter=\"source\", response_code!~\"5.*\"}[1m])) by (destination_workload, destination_workload_namespace) / sum(rate(istio_requests_total{reporter=\"source\"}[1m])) by (destination_workload, destination_workload_namespace)), \"destination_workload_var\", \".\", \"destination_workload\", \"destination_workload_namespace\")",
        "label_join(histogram_quantile(0.5, sum(rate(istio_request_duration_milliseconds_bucket{reporter=\"source\"}[1m])) by (le, destination_workload, destination_workload_namespace)) / 1000, \"destination_workload_var\", \".\", \"destination_workload\", \"destination_workload_namespace\")",
        "sum(istio_build) by (component, tag)",
        "sum(istio_requests_total{reporter=\"source\", source_workload_namespace=~\"bookinfo|.*\"}) by (destination_service)",
        "round(sum(irate(istio_requests_total{connection_security_policy=\"mutual_tls\", destination_service=~\"reviews.*\", reporter=~\"destination\", destination_workload=~\".*\", destination_workload_namespace=~\".*\"}[5m])) by (source_workload, source_workload_namespace, response_code), 0.001)",
        "round(sum(irate(istio_requests_total{connection_security_policy!=\"mutual_tls\", reporter=\"source\", destination_service=~\"reviews.*\"}[5m])) by (source_workload, source_workload_namespace, response_code), 0.001)",
        "sum(irate(istio_requests_total{reporter=\"destination\",destination_service=~\"ratings.*\",response_code!~\"5.*\"}[5m])) by (source_workload, source_workload_namespace) / sum(irate(istio_requests_total{reporter=\"destination\",destination_service=~\"ratings.*\"}[5m])) by (source_workload, source_workload_namespace)",
        "(histogram_quantile(0.50, sum(irate(istio_request_duration_milliseconds_bucket{reporter=\"source\",destination_service=~\"reviews.*\"}[1m])) by (source_workload, source_workload_namespace, le)) / 1000) or histogram_quantile(0.50, sum(irate(istio_request_duration_seconds_bucket{reporter=\"source\"}[1m])) by (source_workload, source_workload_namespace, le))",
        "histogram_quantile(0.90, sum(irate(istio_request_bytes_bucket{reporter=\"source\",connection_security_policy!=\"mutual_tls\"}[1m])) by (source_workload, source_workload_namespace, le))",
        "histogram_quantile(0.95, sum(irate(istio_response_bytes_bucket{reporter=\"destination\"}[1m])) by (destination_workload, le))",
        "round(sum(irate(istio_tcp_received_bytes_total{reporter=\"source\"}[1m])) by (source_workload, source_workload_namespace), 0.001)",
        "round(sum(irate(istio_tcp_sent_bytes_total{connection_security_policy=\"mutual_tls\", reporter=\"destination\"}[1m])) by (destination_workload), 0.001)",
        "sum(pilot_xds) by (version)", "sum(irate(pilot_xds_pushes[1m])) by (type)",
        "sum(rate(pilot_xds_pushes{type=~\"lds|cds|rds|eds\"}[1m])) by (type)",
        "histogram_quantile(0.99, sum(rate(pilot_xds_push_time_bucket[1m])) by (le))",
        "sum(rate(pilot_xds_push_time_bucket[1m])) by (le)", "sum(increase(pilot_xds_push_time_bucket{}[30m])) by (le)",
        "histogram_quantile(0.999, sum(rate(pilot_proxy_convergence_time_bucket[5m])) by (le))",
        "sum by (le) (rate(pilot_xds_config_size_bytes_bucket{}[5m]))",
        "sum(rate(pilot_k8s_cfg_events{}[1m])) by (type, event)",
        "sum(rate(pilot_k8s_reg_events{}[1m])) by (type, event)",
        "sum(rate(pilot_push_triggers{}[1m])) by (type)", "pilot_services",
        "sum(galley_validation_passed) or vector(0)",
        "sum(rate(galley_validation_failed[1m])) or vector(0)", "sum(rate(sidecar_injection_success_total[5m]))",
        "sum(envoy_cluster_upstream_cx_active{cluster_name=\"xds-grpc\"})",
        "process_resident_memory_bytes{app=\"istiod\"}", "irate(process_cpu_seconds_total{app=\"istiod\"}[1m])",
        "(sum(irate(container_cpu_usage_seconds_total{container=\"istio-proxy\"}[1m])) / (round(sum(irate(istio_requests_total[1m])), 0.001)/1000)) / (sum(irate(istio_requests_total{source_workload=\"istio-ingressgateway\"}[1m])) > bool 10)",
        "sum(rate(istio_response_bytes_sum{destination_workload=\"reviews-v1\"}[1m])) by (destination_workload) + sum(rate(istio_request_bytes_sum{destination_workload=\"reviews-v1\"}[1m])) by (destination_workload)",
    ]

    /// Selectors, shifts, lookback, literals.
    static let selectors = [
        "wave", "wave{shape=\"late\"}", "wave{shape!=\"late\"}", "wave{shape=~\"s.*\"}", "wave{shape!~\"s.*|late\"}",
        "{__name__=~\"wave|odd\",shape=~\".+\"}", "wave{nothing=\"\"}", "wave{shape=\"sparse\"}", "wave offset 10m",
        "wave offset -10m", "wave @ 1700008000", "wave @ start()", "wave @ end() offset 1m",
        "wave offset 5m @ 1700009000",
        "rate(istio_requests_total{response_code=\"503\"}[5m] offset 7m)", "rate(wave[5m] @ end())", "1",
        "1 + 2 * 3 ^ 2 ^ 0.5",
        "-2 ^ 2", "0x1F + 1e3", "Inf - Inf", "NaN", "-wave", "+wave{shape=\"sine\"}", "wave{shape='sine',}",
        "{__name__=\"path\",host=\"\"}", "path{host=~\"web-[0-9]f\\\\.example\\\\..*\"}", "3 % 2 - -3 % 2", "2 atan2 3",
        "(wave)",
    ]

    /// Operators and matching.
    static let operators = [
        "wave + 1", "1 - wave", "wave * wave", "wave / wave", "wave % 3", "wave ^ 2", "wave > 0", "wave > bool 0",
        "0 < wave", "10 >= bool wave", "wave == wave", "wave != bool 4", "1 > bool 2", "odd > wave",
        "odd{kind=\"nan\"} == odd",
        "wave and wave > 3", "wave or odd", "wave unless wave < 0", "wave and on() vector(1)",
        "wave unless on(shape) wave{shape=\"sine\"}",
        "sum(wave) by (shape) or ignoring(shape) vector(1)",
        "istio_requests_total{response_code=\"503\",reporter=\"source\"} / ignoring(response_code,response_flags) istio_requests_total{response_code=\"200\",reporter=\"source\"}",
        "istio_requests_total{reporter=\"source\"} / ignoring(response_code,response_flags,grpc_response_status) group_left sum without(response_code,response_flags,grpc_response_status)(istio_requests_total{reporter=\"source\"})",
        "sum by (instance,app)(pilot_xds_pushes) * on(instance) group_right(app) pilot_xds_pushes",
        "pilot_xds_pushes * on(instance) group_left(version) pilot_xds", "pilot_xds_pushes * on(instance) pilot_xds",
        "pilot_xds * on(instance) pilot_xds_pushes", "wave + on(shape) wave", "wave >= on(shape) wave",
        "wave{shape=\"sine\"} + on() group_left() odd{kind=\"flat\"}", "pilot_services - on(job) pilot_xds",
        "odd + odd", "time() - 1700000000",
    ]

    static let aggregations = [
        "sum(wave)", "avg(odd)", "min(odd)", "max(odd)", "count(wave)", "group(wave) by (shape)", "stddev(wave)",
        "stdvar(wave)",
        "topk(2, wave)", "bottomk(2, wave)", "topk(1, istio_requests_total) by (reporter)", "topk(0, wave)",
        "topk(100, odd)",
        "quantile(0.5, wave)", "quantile(0.9, istio_requests_total) by (reporter)", "quantile(-1, wave)",
        "quantile(2, wave)",
        "count_values(\"value\", up)", "count_values(\"v\", istio_build) by (component)",
        "sum without(instance, job)(pilot_xds_pushes)",
        "avg without(shape)(wave)", "sum by (nothing)(wave)", "count(istio_requests_total) by (response_code) > 3",
        "sum(nothing_here)",
        "max by (destination_workload) (istio_requests_total) - min by (destination_workload) (istio_requests_total)",
    ]

    static let ranges =
        [
            "rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time",
            "min_over_time",
            "max_over_time", "sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time",
            "last_over_time",
            "present_over_time", "absent_over_time",
        ].flatMap { function in
            [
                "\(function)(wave[5m])", "\(function)(odd[3m])",
                "\(function)(istio_requests_total{response_code=\"200\",reporter=\"source\"}[2m])",
            ]
        } + [
            "quantile_over_time(0.9, wave[10m])", "quantile_over_time(1.5, wave[10m])",
            "predict_linear(wave[10m], 3600)",
            "predict_linear(odd[10m], -60)", "holt_winters(wave[10m], 0.3, 0.6)", "rate(wave[10s])",
            "rate(wave[1m:10s])",
            "max_over_time(sum(rate(istio_requests_total[1m]))[10m:1m])", "sum_over_time(wave[7m:45s])",
            "avg_over_time(wave[10m:])",
            "rate(istio_requests_total{reporter=\"source\"}[5m:30s] offset 3m)", "max_over_time((wave > 0)[5m:15s])",
            "quantile_over_time(0.5, (sum(wave))[10m:1m])", "deriv(rate(istio_requests_total[2m])[10m:1m])",
            "max_over_time(time()[5m:1m])", "absent_over_time(nothing{a=\"b\",c=~\"d\"}[5m])",
            "max_over_time(vector(time())[5m:1m])", "sum_over_time(wave[5m:1m] @ 1700009000)",
        ]

    static let functions =
        [
            "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "cos", "tan", "asin", "acos",
            "atan", "sinh",
            "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad", "timestamp", "absent", "sort", "sort_desc",
        ].map { "\($0)(wave)" }
        + [
            "hour", "minute", "month", "year", "day_of_month", "day_of_week", "day_of_year", "days_in_month",
        ].flatMap { ["\($0)()", "\($0)(seconds)"] } + [
            "clamp(wave, -3, 3)", "clamp(wave, 3, -3)", "clamp_min(odd, 1)", "clamp_max(odd, 1)", "round(wave)",
            "round(wave, 0.3)",
            "round(odd, 10)", "scalar(wave{shape=\"sine\"})", "scalar(wave)", "vector(3)", "vector(time())", "pi()",
            "scalar(pilot_services) + vector(1)", "absent(nothing{a=\"b\"})",
            "absent(nothing{a=\"b\",a=\"c\",d=\"e\"})", "absent(sum(nothing))",
            "timestamp(wave offset 2m)", "timestamp(wave > 0)", "histogram_quantile(0.9, bad_bucket)",
            "histogram_quantile(-0.1, pilot_xds_push_time_bucket)",
            "histogram_quantile(1.1, pilot_xds_push_time_bucket)",
            "histogram_quantile(NaN, pilot_xds_push_time_bucket)", "histogram_quantile(1, pilot_xds_push_time_bucket)",
            "histogram_quantile(0, pilot_xds_push_time_bucket)",
            "histogram_quantile(scalar(odd{kind=\"flat\"}) / 5, pilot_xds_push_time_bucket)",
            "label_replace(path, \"first\", \"$1\", \"url\", \"/([a-z]+)/?.*\")",
            "label_replace(path, \"n\", \"${host}-$2\", \"host\", \"(?P<host>[a-z]+)-(.*)\")",
            "label_replace(path, \"url\", \"\", \"url\", \".*\")",
            "label_replace(wave, \"shape\", \"same\", \"shape\", \".*\")",
            "label_replace(path, \"bad-name\", \"x\", \"url\", \".*\")",
            "label_replace(path, \"a\", \"x\", \"url\", \"(\")",
            "label_join(path, \"all\", \"|\", \"host\", \"url\", \"missing\")", "label_join(path, \"none\", \",\")",
            "sum(label_join(path, \"url\", \"\"))",
        ]

    /// Both sides refuse these.
    static let refused = [
        "wave{", "rate(wave)", "sum(1)", "wave[5m] + 1", "1 == 2", "foo{bar}", "{}", "{a=\"\"}", "rate(wave[5m)",
        "wave offset",
        "sum by (a", "unknown_function(wave)", "wave @", "wave[5m] offset 5m offset 6m", "1 and 2", "wave + bool 1",
        "topk(wave)", "\"a\" + 1",
        "wave on(a) wave", "clamp(wave)", "wave[0s]", "wave[5m:0s]", "sum(wave) group_left() wave", "{a=~\"(\"}",
        "1 + ", "()", "-\"a\"", "wave[5m][5m]",
        "wave and on(a) group_left wave", "holt_winters(wave[5m], 2, 0.1)",
    ]

    static let all = kiali + grafana + selectors + operators + aggregations + ranges + functions + refused
}
