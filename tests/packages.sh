# What the tests in Python begin with: pinned packages below the build folder, reused where they are there. Sourced by
# scripts that set `root`.

# install_python_packages NAME PINS: an environment of its own; `packages` is its folder afterwards.
install_python_packages() {
    local pins=$2
    packages="${CARGO_TARGET_DIR:-$root/target}/$1"
    [ -f "$packages/pins" ] && cmp -s "$pins" "$packages/pins" && return
    rm -rf "$packages" && mkdir -p "$(dirname "$packages")"
    python3 -m venv "$packages"
    "$packages/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins"
    cp "$pins" "$packages/pins"
}

# run_python_tests HERE GATEWAY POLICY_SERVER: all tests in the folder HERE, which is called as its environment is, told
# where the two programs are and where the packages put theirs.
run_python_tests() {
    [ $# -eq 3 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
    export GATEWAY POLICY_SERVER PYTHONDONTWRITEBYTECODE=1
    GATEWAY="$(realpath "$2")" POLICY_SERVER="$(realpath "$3")"
    install_python_packages "$(basename "$1")" "$1/requirements.txt"
    export PATH="$packages/bin:$PATH"
    exec "$packages/bin/python" -m unittest discover --start-directory "$1"
}
