# Installs pinned Python packages below the build folder and reuses what is there. Sourced by scripts that set `root`.

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
