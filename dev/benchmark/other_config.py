"""Configuration of nginx and HAProxy that does the same work, and of the backends."""


def nginx_main(directory, body, extra=""):
    return f"""
user root;
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 15000; }}
{extra}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    tcp_nodelay on;
{body}
}}
"""


def backend(directory, ports, reply_bytes=60):
    """Small replies, and a 1 MiB file at /large."""
    reply = "x" * reply_bytes
    return nginx_main(directory, f"""
    default_type text/plain;
    sendfile on;
    server {{
        listen 127.0.0.1:{ports.backend} backlog=4096;
        location / {{ return 200 "{reply}"; }}
        location /large {{ alias {directory}/large; }}
    }}
""")


def nginx_proxy(directory, ports, listen, tls=None):
    secure = ""
    if tls:
        secure = f"""
        ssl_certificate {tls}/server.crt;
        ssl_certificate_key {tls}/server.key;
        ssl_client_certificate {tls}/ca.crt;
        ssl_verify_client on;
        ssl_session_cache off;
        ssl_session_tickets off;
        ssl_protocols TLSv1.3;"""
    return nginx_main(directory, f"""
    upstream backend {{
        server 127.0.0.1:{ports.backend};
        keepalive 2000;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{listen}{" ssl" if tls else ""} backlog=4096;{secure}
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-Id $request_id;
        }}
    }}
""")


def nginx_grpc(directory, ports, listen):
    return nginx_main(directory, f"""
    http2_max_requests 100000000;
    upstream backend {{
        server 127.0.0.1:{ports.backend_h2};
        keepalive 2000;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{listen} http2 backlog=4096;
        location / {{
            grpc_pass grpc://backend;
            grpc_set_header X-Forwarded-Proto $scheme;
            grpc_set_header X-Request-Id $request_id;
        }}
    }}
""")


def nginx_tcp(directory, ports, listen):
    stream = f"""
load_module modules/ngx_stream_module.so;
stream {{
    server {{
        listen 127.0.0.1:{listen} backlog=4096;
        proxy_pass 127.0.0.1:{ports.backend};
    }}
}}"""
    # load_module must stand before every block.
    module, block = stream.split(";", 1)
    return module + ";" + nginx_main(directory, "", extra=block)


def haproxy(ports, listen, mode="http", tls=None):
    secure = f" ssl crt {tls}/server.pem ca-file {tls}/ca.crt verify required no-tls-tickets alpn http/1.1" if tls else ""
    http = """
    http-reuse always
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Request-Id %[uuid()]""" if mode == "http" else ""
    return f"""
global
    nbthread 1
    maxconn 4000
    tune.ssl.cachesize 0
defaults
    mode {mode}
    timeout connect 5s
    timeout client 3600s
    timeout server 3600s
frontend front
    bind 127.0.0.1:{listen} backlog 4096{secure}
    default_backend back
backend back{http}
    server one 127.0.0.1:{ports.backend}
"""
