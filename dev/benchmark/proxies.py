"""The subjects: how each is configured and started for a row."""

import dataclasses
import os
import pathlib
import subprocess

from . import envoy_config, other_config
from .processes import Process


@dataclasses.dataclass(frozen=True)
class Ports:
    backend: int = 18080
    backend_h2: int = 18081
    envoy: int = 19001
    weft: int = 19012
    nginx: int = 19003
    haproxy: int = 19004
    control: int = 19005
    floor: int = 19006
    # Further ports of one subject: the second hop, the admin server.
    second: int = 100
    # The same subject once more, configured differently.
    variant: int = 1000


PORTS = Ports()


class Workshop:
    """A temporary directory with certificates, the backend, and the programs' paths."""

    def __init__(self, root, directory):
        self.root = pathlib.Path(root)
        self.directory = pathlib.Path(directory)
        self.envoy_path = self.root / ".build-tools/envoy/envoy/_bin/envoy"
        self.weft_path = pathlib.Path(os.environ.get("WEFT_PROXY", self.root / ".build/release/weft-proxy"))
        self.certificates = self.directory / "tls"
        self._make_certificates()

    def folder(self, name):
        made = self.directory / name
        made.mkdir(exist_ok=True)
        return made

    def start_backend(self):
        folder = self.folder("backend")
        (folder / "large").write_bytes(b"y" * (1 << 20))
        path = folder / "nginx.conf"
        path.write_text(other_config.backend(folder, PORTS))
        backend = Process("backend", ["nginx", "-p", folder, "-c", path], folder)
        return backend.wait_for(PORTS.backend)

    def start_grpc_backend(self):
        """A gRPC server by nghttpd: the reply is a file, its status a trailer."""
        folder = self.folder("grpc")
        # A gRPC frame: not compressed, 16 bytes.
        (folder / "bench.Echo").mkdir(exist_ok=True)
        (folder / "bench.Echo" / "Unary.grpc").write_bytes(b"\0\0\0\0\x10" + b"z" * 16)
        (folder / "request").write_bytes(b"\0\0\0\0\x10" + b"r" * 16)
        (folder / "types").write_text("application/grpc grpc\n")
        arguments = ["nghttpd", "--no-tls", "-d", folder, "--trailer", "grpc-status: 0", "--mime-types-file", folder / "types",
                     "-a", "127.0.0.1", PORTS.backend_h2]
        return Process("grpc-backend", arguments, folder).wait_for(PORTS.backend_h2)

    def start_collector(self):
        """A server on the gRPC backend's port that takes the spans of OTLP."""
        folder = self.folder("grpc") / "opentelemetry.proto.collector.trace.v1.TraceService"
        folder.mkdir(exist_ok=True)
        # An empty answer: a gRPC frame without a message.
        (folder / "Export").write_bytes(b"\0" * 5)
        return self.start_grpc_backend()

    @property
    def grpc_request(self):
        return self.directory / "grpc" / "request"

    def envoy(self, bootstrap, port, name="envoy"):
        folder = self.folder(name)
        path = envoy_config.write(folder / "bootstrap.json", bootstrap)
        arguments = [self.envoy_path, "-c", path, "--concurrency", "1", "-l", "warning", "--disable-hot-restart"]
        return Process(name, arguments, folder).wait_for(port)

    def weft(self, bootstrap, port, name="weft"):
        folder = self.folder(name)
        path = envoy_config.write(folder / "bootstrap.json", bootstrap)
        arguments = [self.weft_path, "-c", path, "--concurrency", "1", "-l", "warning"]
        return Process(name, arguments, folder).wait_for(port)

    def floor(self, port, upstream, name="floor", tls=None):
        """The bare forwarder of floor.c; `tls`: terminate or originate."""
        more = [tls, self.certificates] if tls else []
        return Process(name, [self.program("floor"), port, upstream, *more], self.folder(name)).wait_for(port)

    def program(self, name):
        """The executable of one of the C files beside this one, built when it is first wanted."""
        program = self.directory / f"{name}-program"
        if not program.exists():
            source = pathlib.Path(__file__).with_name(f"{name}.c")
            subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", program, source, "-lssl", "-lcrypto", "-lm"], check=True)
        return program

    def nginx(self, text, port, name="nginx"):
        folder = self.folder(name)
        path = folder / "nginx.conf"
        path.write_text(text)
        return Process(name, ["nginx", "-p", folder, "-c", path], folder).wait_for(port)

    def haproxy(self, text, port, name="haproxy"):
        folder = self.folder(name)
        path = folder / "haproxy.cfg"
        path.write_text(text)
        return Process(name, ["haproxy", "-db", "-f", path], folder).wait_for(port)

    def start(self, subject, listener_filter, tls=None, clusters=None):
        """One listener in front of the backend; the same bootstrap for Envoy and Weft."""
        port = getattr(PORTS, subject)
        secure = envoy_config.server_tls() if tls else None
        listeners = [envoy_config.listener(port, listener_filter, secure)]
        bootstrap = envoy_config.bootstrap(
            listeners, clusters or [envoy_config.cluster("backend", PORTS.backend)], self.certificates if tls else None)
        return getattr(self, subject)(bootstrap, port)

    def _make_certificates(self):
        self.certificates.mkdir()
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]

        def openssl(*arguments):
            subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=self.certificates)

        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/O=bench", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign")
        for name in ("server", "client"):
            openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/O=bench")
            (self.certificates / f"{name}.ext").write_text(
                f"subjectAltName=URI:spiffe://cluster.local/ns/bench/sa/{name},DNS:{name}.bench\n"
                "extendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                    "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
            pem = (self.certificates / f"{name}.crt").read_text() + (self.certificates / f"{name}.key").read_text()
            (self.certificates / f"{name}.pem").write_text(pem)
