# What the scripts share: sourced, not run.

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }

# need PACKAGE CHECK: installs a Debian package unless the check passes.
need() {
    if eval "$2" >/dev/null 2>&1; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing $1"
        if [ -z "${APT_UPDATED:-}" ]; then apt-get update -qq; APT_UPDATED=1; fi
        # Its own cluster would only take up the port: PromoStack runs a private one.
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
    else
        echo "Please install $1 first: sudo apt-get install $1" >&2
        exit 1
    fi
}

need_toolchain() {
    if ! command -v cargo >/dev/null; then
        echo "Please install a Rust toolchain first: https://rustup.rs" >&2
        exit 1
    fi
    need gcc 'command -v cc'
}

need_postgres() {
    if [ -n "${DATABASE_URL:-}${DB_HOST:-}" ]; then return; fi
    need postgresql 'ls /usr/lib/postgresql/*/bin/initdb || command -v initdb || ls "${PROMOSTACK_PG_BIN:-/nowhere}/initdb"'
}
