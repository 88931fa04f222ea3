//! Whether an `rm` takes a root away: the whole disk, a system folder, a home.

use super::Matched;

/// What may stand below a root and still mean all of it.
const ALL_OF_IT: [&[u8]; 4] = [b"", b"*", b".", b".*"];
/// Homes, and how they are written.
const HOMES: [&[u8]; 5] = [b"~", b"$HOME", b"${HOME}", b"/root", b"$env:USERPROFILE"];
/// Folders below `/` that a system does not live without.
const SYSTEM: [&[u8]; 18] = [
    b"bin", b"boot", b"dev", b"etc", b"home", b"lib", b"lib64", b"opt", b"sbin", b"srv", b"usr", b"var", b"sys",
    b"proc", b"Users", b"System", b"Library", b"mnt",
];

/// Whether the command at the match removes a root recursively.
pub(super) fn removes_root(matched: &Matched<'_>) -> bool {
    let command = matched.whole.split(|byte| b";&|\n)#<>`".contains(byte)).next().unwrap_or_default();
    let mut recursive = false;
    let mut root = false;
    for word in command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1) {
        let bare: Vec<u8> = word.iter().copied().filter(|byte| !b"\"'\\".contains(byte)).collect();
        match bare.as_slice() {
            b"--recursive" => recursive = true,
            [b'-', b'-', ..] => {}
            [b'-', flags @ ..] => recursive |= flags.iter().any(|flag| matches!(flag, b'r' | b'R')),
            path => root |= is_root(path),
        }
    }
    recursive && root
}

fn is_root(path: &[u8]) -> bool {
    let below = |root: &[u8]| match path.strip_prefix(root) {
        Some([]) => true,
        Some([b'/', rest @ ..]) => ALL_OF_IT.contains(&rest),
        _ => false,
    };
    if HOMES.iter().any(|home| below(home)) {
        return true;
    }
    match path {
        [b'/', rest @ ..] => ALL_OF_IT.contains(&rest) || is_system(rest),
        [drive, b':', rest @ ..] if drive.is_ascii_alphabetic() => matches!(rest, [] | b"/" | b"/*" | b"*"),
        _ => false,
    }
}

fn is_system(path: &[u8]) -> bool {
    let (folder, rest) = match path.iter().position(|&byte| byte == b'/') {
        Some(at) => path.split_at(at),
        None => (path, &b""[..]),
    };
    SYSTEM.contains(&folder) && matches!(rest, b"" | b"/" | b"/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removes(text: &str) -> bool {
        removes_root(&Matched::new(text.as_bytes(), &(0..text.len()), &(0..text.len())))
    }

    #[test]
    fn roots_are_known_however_they_are_written() {
        for text in [
            "rm -rf /",
            "rm -f -R /*",
            "rm -rf --no-preserve-root \"/\"",
            "rm -r ~/",
            "rm -fr $HOME",
            "rm -rf /etc",
            "rm -rf a /",
        ] {
            assert!(removes(text), "{text}");
        }
    }

    #[test]
    fn folders_of_ones_own_are_none() {
        for text in [
            "rm -rf ./target",
            "rm -rf ~/.cache",
            "rm -f /etc/x.conf",
            "rm -rf /var/lib/apt/lists/*",
            "rm /",
            "rm -rf a; ls /",
            "",
        ] {
            assert!(!removes(text), "{text}");
        }
    }
}
