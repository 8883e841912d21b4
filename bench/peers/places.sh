# Where a peer finds what bench/peers/install has installed for it; sourced by the scripts beside it.

place="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target/bench/peers"
node="$place/nodejs/bin/node"
# Debian keeps nginx where not everybody's PATH leads.
export PATH="$PATH:/usr/sbin"
# All data is made anew by each `prepare`.
fresh() { rm -rf "$1" && mkdir -p "$1"; }

# Becomes nginx with the file `server.conf` of a directory: one worker, as few log lines and new connections as can be.
nginx_with() {
    cat >"$1/nginx.conf" <<EOF
daemon off;
worker_processes 1;
pid $1/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path $1/temp; proxy_temp_path $1/temp; fastcgi_temp_path $1/temp;
    uwsgi_temp_path $1/temp; scgi_temp_path $1/temp;
    include $1/server.conf;
}
EOF
    exec nginx -e stderr -p "$1" -c "$1/nginx.conf"
}
