# Installs what a test needs into a folder, once for each version of its pins. Sourced by the scripts beside it.

# once FOLDER PINS COMMAND...: runs the command, which fills the folder, unless it was filled from exactly these pins.
once() {
    local folder=$1 pins=$2
    shift 2
    # Several tests ask for it at the same moment: one installs, the others wait.
    mkdir -p "$(dirname "$folder")"
    exec 9>"$folder.lock"
    flock 9
    cmp -s "$pins" "$folder/installed" && return
    rm -rf "$folder" && mkdir -p "$folder"
    "$@" >&2
    cp "$pins" "$folder/installed"
}
