#!/usr/bin/env python3
"""An API for trying a gateway: answers every request on 127.0.0.1:8080 with the request itself, as it arrived."""

import http.server
import sys


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = (self.requestline + "\n" + str(self.headers).strip() + "\n").encode("utf-8", "replace")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A gateway that hangs up has its reasons, and nobody wants to read of them here."""


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
Server(("127.0.0.1", port), Echo).serve_forever()
