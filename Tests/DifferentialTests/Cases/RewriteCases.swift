extension HandWritten {
    /// What is changed on the way to the upstream: path and host.
    static let rewriting: [DifferentialCase] = [
        DifferentialCase(
            "rewrite-prefix", routes("match: {prefix: /old}, route: {cluster: a, prefix_rewrite: /new}"),
            get("/old"), get("/old/x?y=1"), get("/older")),
        DifferentialCase(
            "rewrite-prefix-root", routes("match: {prefix: /api/}, route: {cluster: a, prefix_rewrite: /}"),
            get("/api/"), get("/api//x"), get("/api/x/y?z")),
        DifferentialCase(
            "rewrite-exact", routes("match: {path: /one}, route: {cluster: a, prefix_rewrite: /two}"),
            get("/one?q=v")),
        DifferentialCase(
            "rewrite-no-case",
            routes("match: {prefix: /Old, case_sensitive: false}, route: {cluster: a, prefix_rewrite: /new}"),
            get("/oLD/x")),
        DifferentialCase(
            "rewrite-separated",
            routes("match: {path_separated_prefix: /api}, route: {cluster: a, prefix_rewrite: /v2}"),
            get("/api"), get("/api/x"), get("/api?x=y")),
        DifferentialCase(
            "rewrite-regex",
            routes(
                #"match: {prefix: /}, route: {cluster: a, regex_rewrite: {pattern: {regex: "^/s/([^/]+)(/.*)$"}, "#
                    + #"substitution: "\\2/inst/\\1"}}"#),
            get("/s/foo/v1/api"), get("/s/foo/v1?q=/s/a/b"), get("/other")),
        DifferentialCase(
            "rewrite-regex-all",
            routes(
                #"match: {prefix: /}, route: {cluster: a, regex_rewrite: {pattern: {regex: "one"}, "#
                    + #"substitution: "two"}}"#),
            get("/xxx/one/yyy/one/zzz"), get("/ONE?one")),
        DifferentialCase(
            "rewrite-regex-insert",
            routes(
                #"match: {prefix: /}, route: {cluster: a, regex_rewrite: {pattern: {regex: "(?i)/xxx/"}, "#
                    + #"substitution: "/yyy/"}}"#),
            get("/aaa/XxX/bbb")),
        DifferentialCase(
            "host-rewrite", routes("match: {prefix: /}, route: {cluster: a, host_rewrite_literal: inner.example}"),
            get("/")),
        DifferentialCase(
            "host-rewrite-append",
            routes(
                "match: {prefix: /}, route: {cluster: a, host_rewrite_literal: inner.example, "
                    + "append_x_forwarded_host: true}"), get("/"), get("/", "x-forwarded-host: before.example")),
        DifferentialCase(
            "host-rewrite-header", routes("match: {prefix: /}, route: {cluster: a, host_rewrite_header: x-host}"),
            get("/", "x-host: chosen.example"), get("/")),
        DifferentialCase(
            "host-rewrite-regex",
            routes(
                "match: {prefix: /}, route: {cluster: a, host_rewrite_path_regex: "
                    + #"{pattern: {regex: "^/(.+)/.+$"}, substitution: "\\1"}}"#),
            get("/host.example/x")),
        DifferentialCase(
            "host-rewrite-auto",
            routes("match: {prefix: /}, route: {cluster: host-rewrite-auto, auto_host_rewrite: true}"),
            clusters: """
                - name: host-rewrite-auto
                  type: STATIC
                  load_assignment:
                    cluster_name: host-rewrite-auto
                    endpoints: [{lb_endpoints: [{endpoint: {hostname: a.inner.example,
                      address: {socket_address: {address: 127.0.0.1, port_value: {a}}}}}]}]
                """, get("/")),
    ]

    /// Answers that no upstream gives.
    static let replying: [DifferentialCase] = [
        DifferentialCase(
            "redirect-path",
            routes("match: {prefix: /}, redirect: {path_redirect: /there}"), get("/x?q=1"), get("/")),
        DifferentialCase(
            "redirect-prefix", routes("match: {prefix: /old}, redirect: {prefix_rewrite: /new}"), get("/old/x?q=1")),
        DifferentialCase(
            "redirect-regex",
            routes(
                #"match: {prefix: /}, redirect: {regex_rewrite: {pattern: {regex: "^/a/(.*)$"}, "#
                    + #"substitution: "/b/\\1"}}"#),
            get("/a/x?q=1"), get("/c")),
        DifferentialCase(
            "redirect-host", routes("match: {prefix: /}, redirect: {host_redirect: other.example}"), get("/x"),
            get("/", "host: redirect-host.test:81")),
        DifferentialCase(
            "redirect-https", routes("match: {prefix: /}, redirect: {https_redirect: true}"), get("/x?y")),
        DifferentialCase(
            "redirect-scheme", routes("match: {prefix: /}, redirect: {scheme_redirect: ftp}"), get("/x")),
        DifferentialCase(
            "redirect-port", routes("match: {prefix: /}, redirect: {port_redirect: 8443}"), get("/x")),
        DifferentialCase(
            "redirect-default-port",
            routes("match: {prefix: /}, redirect: {https_redirect: true, port_redirect: 443}"), get("/x")),
        DifferentialCase(
            "redirect-strip", routes("match: {prefix: /}, redirect: {path_redirect: /p, strip_query: true}"),
            get("/x?y=1")),
        DifferentialCase(
            "redirect-query-in-target", routes("match: {prefix: /}, redirect: {path_redirect: \"/p?a=b\"}"),
            get("/x?y=1"), get("/x")),
        DifferentialCase(
            "redirect-302", routes("match: {prefix: /}, redirect: {path_redirect: /p, response_code: FOUND}"),
            get("/")),
        DifferentialCase(
            "redirect-303", routes("match: {prefix: /}, redirect: {path_redirect: /p, response_code: SEE_OTHER}"),
            get("/")),
        DifferentialCase(
            "redirect-307",
            routes("match: {prefix: /}, redirect: {path_redirect: /p, response_code: TEMPORARY_REDIRECT}"),
            post("/", "body")),
        DifferentialCase(
            "redirect-308",
            routes("match: {prefix: /}, redirect: {path_redirect: /p, response_code: PERMANENT_REDIRECT}"), get("/")),
        DifferentialCase(
            "direct", routes("match: {prefix: /}, direct_response: {status: 418, body: {inline_string: \"tea\\n\"}}"),
            get("/"), send("HEAD", "/"), post("/", "body")),
        DifferentialCase("direct-empty", routes("match: {prefix: /}, direct_response: {status: 204}"), get("/")),
        DifferentialCase(
            "direct-headers",
            routes(
                "match: {prefix: /}, direct_response: {status: 200, body: {inline_string: hi}}, "
                    + "response_headers_to_add: [{header: {key: content-type, value: text/html}, "
                    + "append_action: OVERWRITE_IF_EXISTS_OR_ADD}, {header: {key: x-d, value: \"1\"}}]"), get("/")),
        DifferentialCase(
            "local-reply-map",
            manager: """
                local_reply_config:
                  mappers:
                  - filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 404, runtime_key: k}}}}
                    status_code: 410
                    body: {inline_string: "gone for good"}
                    headers_to_add: [{header: {key: x-mapped, value: "yes"}}]
                  - filter: {response_flag_filter: {flags: [UH]}}
                    status_code: 502
                  body_format: {text_format_source: {inline_string: "%RESPONSE_CODE%: %LOCAL_REPLY_BODY%\\n"}}
                """, get("/")),
        DifferentialCase(
            "local-reply-status", route("path: /only"),
            manager: """
                local_reply_config:
                  mappers:
                  - filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 404, runtime_key: k}}}}
                    status_code: 410
                    body: {inline_string: "gone for good"}
                    headers_to_add: [{header: {key: x-mapped, value: "yes"}}]
                """, get("/x"), get("/only")),
        DifferentialCase(
            "local-reply-json", routes("match: {prefix: /}, route: {cluster: empty}"),
            manager: """
                local_reply_config:
                  body_format:
                    json_format: {code: "%RESPONSE_CODE%", flags: "%RESPONSE_FLAGS%", body: "%LOCAL_REPLY_BODY%"}
                """, get("/x")),
        DifferentialCase(
            "local-reply-text", routes("match: {prefix: /}, route: {cluster: empty}"),
            manager: """
                local_reply_config:
                  body_format:
                    text_format_source: {inline_string: "%RESPONSE_CODE% %REQ(:PATH)%: %LOCAL_REPLY_BODY%\\n"}
                    content_type: "text/plain; charset=UTF-8"
                """, get("/x?y"), send("HEAD", "/x")),
    ]

    /// Headers added, replaced and removed.
    static let manipulating: [DifferentialCase] = [
        DifferentialCase(
            "headers-add-levels",
            """
            request_headers_to_add: [{header: {key: x-l, value: vhost}}]
            response_headers_to_add: [{header: {key: x-r, value: vhost}}]
            routes:
            - match: {prefix: /}
              route: {cluster: a}
              request_headers_to_add: [{header: {key: x-l, value: route}}]
              response_headers_to_add: [{header: {key: x-r, value: route}}]
            """, get("/"), get("/", "x-l: client"), get("/", "x-do: header=x-r:up")),
        DifferentialCase(
            "headers-actions",
            """
            routes:
            - match: {prefix: /}
              route: {cluster: a}
              request_headers_to_add:
              - {header: {key: x-1, value: n1}, append_action: APPEND_IF_EXISTS_OR_ADD}
              - {header: {key: x-2, value: n2}, append_action: ADD_IF_ABSENT}
              - {header: {key: x-3, value: n3}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}
              - {header: {key: x-4, value: n4}, append_action: OVERWRITE_IF_EXISTS}
              - {header: {key: x-5, value: ""}}
              - {header: {key: x-6, value: ""}, keep_empty_value: true}
            """, get("/"), get("/", "x-1: o1", "x-2: o2", "x-3: o3", "x-4: o4"),
            get("/", "x-3: a", "x-3: b", "x-4: a", "x-4: b")),
        DifferentialCase(
            "headers-remove",
            """
            request_headers_to_remove: [x-gone, accept]
            response_headers_to_remove: [x-internal]
            routes: [{match: {prefix: /}, route: {cluster: a}}]
            """, get("/", "x-gone: 1", "X-Gone: 2", "accept: a", "x-stay: 1"),
            get("/", "x-do: header=X-Internal:secret;header=x-open:yes")),
        DifferentialCase(
            "headers-formatter",
            """
            routes:
            - match: {prefix: /}
              name: named-route
              route: {cluster: a}
              request_headers_to_add:
              - {header: {key: x-client, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
              - {header: {key: x-local, value: "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"}}
              - {header: {key: x-proto, value: "%PROTOCOL%"}}
              - {header: {key: x-req, value: "<%REQ(x-in)%>"}}
              - {header: {key: x-alt, value: "%REQ(x-none?:path)%"}}
              - {header: {key: x-cut, value: "%REQ(x-in):3%"}}
              - {header: {key: x-percent, value: "100%%"}}
              - {header: {key: x-host, value: "%REQ(:authority)%"}}
              - {header: {key: x-route, value: "%ROUTE_NAME%"}}
              - {header: {key: x-cluster, value: "%UPSTREAM_CLUSTER%"}}
              response_headers_to_add:
              - {header: {key: x-code, value: "%RESPONSE_CODE%"}}
              - {header: {key: x-flags, value: "%RESPONSE_FLAGS%"}}
              - {header: {key: x-up, value: "%UPSTREAM_HOST%"}}
              - {header: {key: x-resp, value: "%RESP(x-upstream)%"}}
              - {header: {key: x-details, value: "%RESPONSE_CODE_DETAILS%"}}
            """, get("/p?q=1", "x-in: abcdef"), get("/p")),
        DifferentialCase(
            "headers-on-local-reply",
            """
            response_headers_to_add: [{header: {key: x-a, value: "%RESPONSE_CODE%"}}]
            routes: [{match: {prefix: /}, route: {cluster: empty}}]
            """, get("/")),
        DifferentialCase(
            "attempt-count",
            """
            include_request_attempt_count: true
            include_attempt_count_in_response: true
            routes: [{match: {prefix: /}, route: {cluster: a, retry_policy: {retry_on: 5xx, num_retries: 2}}}]
            """, get("/"), get("/", "x-do: status=503|status=200"), get("/", "x-envoy-attempt-count: 7")),
        DifferentialCase(
            "hop-by-hop",
            get("/", "connection: x-private, keep-alive", "x-private: 1", "keep-alive: timeout=5"),
            get("/", "proxy-connection: keep-alive"), get("/", "te: trailers"), get("/", "te: gzip"),
            get("/", "trailer: x-t"), get("/", "proxy-authorization: basic x"),
            get("/", "x-do: header=connection:x-resp;header=x-resp:1"),
            get("/", "x-do: header=keep-alive:timeout=5"), get("/", "x-do: header=proxy-connection:keep-alive")),
        DifferentialCase(
            "header-bytes", get("/", "x-h:no-space"), get("/", "x-h:   spaces   "), get("/", "x-h:\ttab\t"),
            get("/", "x-h:"), get("/", "X-Upper: Value"), get("/", "x-h: ünïcode"), get("/", "x-h: a\tb"),
            get("/", "x_under: 1"), get("/", "x-!#$%&'*+.^`|~: 1")),
        DifferentialCase(
            "server-header", manager: "server_name: front", get("/"), get("/", "x-do: header=server:up")),
        DifferentialCase(
            "server-header-append", manager: "server_name: front\nserver_header_transformation: APPEND_IF_ABSENT",
            get("/"), get("/", "x-do: header=server:up")),
        DifferentialCase(
            "server-header-pass", manager: "server_header_transformation: PASS_THROUGH", get("/"),
            get("/", "x-do: header=server:up")),
        DifferentialCase("via", manager: "via: proxy-1", get("/"), get("/", "via: 1.0 before")),
        DifferentialCase(
            "duplicate-response-headers", get("/", "x-do: header=set-cookie:a=1;header=set-cookie:b=2"),
            get("/", "x-do: header=x-many:1;header=x-many:2;header=date:Thu, 01 Jan 1970 00:00:00 GMT")),
    ]
}
