# Installs the pinned clients below the build folder and reuses what is there. Sourced by the scripts beside it.
#
# The pins stand in pins/; a changed pin file means a new installation. There is no lock file for npm, because
# lock files name the registry that they were made with.

clients="${CARGO_TARGET_DIR:-$root/target}/clients"

# stamped FOLDER PINS: whether the folder was installed from exactly these pins.
stamped() {
    [ -f "$1/pins" ] && cmp -s "$2" "$1/pins"
}

install_python() {
    local folder="$clients/python" pins="$here/pins/requirements.txt"
    stamped "$folder" "$pins" && return
    rm -rf "$folder" && mkdir -p "$clients"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins"
    cp "$pins" "$folder/pins"
}

# install_npm NAME PINS: a folder with a node_modules of its own.
install_npm() {
    local folder="$clients/$1" pins="$here/pins/$2"
    stamped "$folder" "$pins" && return
    rm -rf "$folder" && mkdir -p "$folder"
    cp "$pins" "$folder/package.json"
    (cd "$folder" && npm install --no-package-lock --no-audit --no-fund --loglevel=error)
    cp "$pins" "$folder/pins"
}
