# How ./test and bench/peers/install install what is missing; a second run finds it there.

say() { printf '\n==> %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Debian keeps servers where not everybody's PATH leads.
has() { command -v "$1" >/dev/null || [[ -x /usr/sbin/$1 ]]; }

# What is installed at the moment is what was asked for: the list of versions is kept beside it.
is_installed() { cmp -s "$1" "$2/installed"; }

# Packages of Debian, for what no other registry has.
debian() {
    say "Installing $* from Debian's packages"
    [[ "$(id -u)" == 0 ]] || fail "$* is missing, and only root can install it; run: apt-get install $*"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian starts a server when it installs one, but for where a policy forbids it.
debian_without_servers() {
    local policy=/usr/sbin/policy-rc.d
    if [[ "$(id -u)" == 0 && ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
        debian "$@" || { rm -f "$policy"; return 1; }
        rm -f "$policy"
    else
        debian "$@"
    fi
}

install_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || debian_without_servers postgresql; }

# A list of packages of PyPI with every version pinned, into an environment of their own: install_python LIST PLACE.
install_python() {
    local list=$1 place=$2
    is_installed "$list" "$place" && return
    say "Installing $(basename "$place") and what it needs into ${place#"$PWD/"}"
    mkdir -p "$(dirname "$place")"
    python3 -m venv --clear "$place" 2>/dev/null || debian python3-venv
    [[ -x "$place/bin/pip" ]] || python3 -m venv --clear "$place" || fail "python3 -m venv does not work here"
    "$place/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$list"
    cp "$list" "$place/installed"
}

# Packages of npm, each with its version, in a directory of their own: install_npm PLACE PACKAGE...
install_npm() {
    local place=$1
    command -v node >/dev/null || debian nodejs
    mkdir -p "$place"
    echo "${@:2}" >"$place/wanted"
    is_installed "$place/wanted" "$place" && return
    say "Installing ${*:2} into ${place#"$PWD/"}"
    command -v npm >/dev/null || debian npm
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$place" "${@:2}"
    cp "$place/wanted" "$place/installed"
}
