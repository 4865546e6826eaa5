"""An HTTP proxy outside the mesh: `forward_proxy.py PORT`.

CONNECT and POST both open a connection to the host and port that the request names, and carry bytes both ways: CONNECT
as they are, POST in the pieces of its chunked body. Each request is a line on standard output: method and target.
"""
import socket
import socketserver
import sys
import threading


def copy(read, write, end):
    try:
        while True:
            data = read()
            if not data:
                break
            write(data)
        end()
    except OSError:
        pass


class Tunnel(socketserver.StreamRequestHandler):
    def handle(self):
        method, target = self.rfile.readline().decode().split()[:2]
        headers = {}
        while True:
            line = self.rfile.readline().decode().strip()
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        target = target if method == "CONNECT" else headers["host"]
        print(method, target, flush=True)
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as upstream:
            chunked = method == "POST"
            answer = b"HTTP/1.1 200 OK\r\n" + (b"transfer-encoding: chunked\r\n" if chunked else b"") + b"\r\n"
            self.send(answer)
            threading.Thread(target=copy, daemon=True, args=(
                self.chunk if chunked else lambda: self.rfile.read1(65536), upstream.sendall,
                lambda: upstream.shutdown(socket.SHUT_WR))).start()
            copy(lambda: upstream.recv(65536),
                 (lambda data: self.send(b"%x\r\n%s\r\n" % (len(data), data))) if chunked else self.send,
                 lambda: self.send(b"0\r\n\r\n") if chunked else None)

    def send(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def chunk(self):
        length = int(self.rfile.readline().split(b";")[0] or b"0", 16)
        data = self.rfile.read(length)
        self.rfile.readline()
        return data


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[1])), Tunnel).serve_forever()
