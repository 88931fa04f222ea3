//! `docs/siem.md` says what the encoders write. `make docs`, which sets `UPDATE_DOCS`, writes its generated part.

use airiskguard_gateway::sinks::siem;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/siem.md");
const BEGIN: &str = "<!-- Written by `make docs` from here … -->\n";
const END: &str = "<!-- … to here. -->\n";

#[test]
fn the_document_shows_every_format_and_name() {
    let document = std::fs::read_to_string(PATH).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (between, after) = rest.split_once(END).unwrap();
    let generated = format!("\n{}\n", siem::document());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, format!("{before}{BEGIN}{generated}{END}{after}")).unwrap();
        return;
    }
    let differs = || between.lines().zip(generated.lines()).find(|(is, should)| is != should);
    assert!(between == generated, "docs/siem.md is not what is sent; run `make docs`\n{:#?}", differs());
}
