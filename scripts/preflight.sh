#!/bin/sh
# Names the first missing build requirement in one line and exits with status 1.
#
# usage: preflight.sh [setup|check]
#   setup  what an installation from source needs (default)
#   check  also the Rust linters
# The interpreter is $PYTHON (default: python3).
set -eu

python=${PYTHON:-python3}

missing() {
    printf 'stratum: missing %s. %s\n' "$1" "$2" >&2
    exit 1
}

found() {
    command -v "$1" >/dev/null 2>&1
}

found "$python" ||
    missing "$python" "Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11"

version=$("$python" -c 'import sys; print("%d %d" % sys.version_info[:2])' 2>/dev/null) ||
    missing "a working $python" "It does not start; name another one: make PYTHON=/path/to/python3.11"
major=${version% *}
minor=${version#* }
if [ "$major" -lt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -lt 11 ]; }; then
    missing "Python 3.11 or newer ($python is $major.$minor)" \
        "Install a newer one, and name it if it is not first: make PYTHON=python3.12"
fi

"$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
    missing "Python's venv module (with ensurepip)" \
        "Install it, for example: apt-get install python3-venv"

found cc ||
    missing "a C compiler (cc), which links the Rust kernels" \
        "Install one, for example: apt-get install gcc libc6-dev, or xcode-select --install"

found cargo ||
    missing "cargo, which builds the Rust kernels" "Install Rust (https://rustup.rs) and reopen the shell"

manifest=$(dirname "$0")/../rust_exec/Cargo.toml
needed=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$manifest" 2>/dev/null) || needed=
have=$(cargo --version 2>/dev/null) ||
    missing "a working cargo" "It does not start; install Rust (https://rustup.rs)"
have=${have#cargo }
have=${have%% *}
have=${have%%-*}
awk -v have="$have" -v needed="${needed:-0}" 'BEGIN {
    split(have, h, "."); split(needed, n, ".")
    for (i = 1; i <= 3; i++) if (h[i] + 0 != n[i] + 0) exit (h[i] + 0 < n[i] + 0)
}' ||
    missing "Rust $needed or newer (cargo is $have)" "Update it: rustup update stable"

if [ "${1:-setup}" = check ]; then
    cargo clippy --version >/dev/null 2>&1 ||
        missing "clippy, the Rust linter" "Install it: rustup component add clippy"
    cargo fmt --version >/dev/null 2>&1 ||
        missing "rustfmt, the Rust formatter" "Install it: rustup component add rustfmt"
fi
