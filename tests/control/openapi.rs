//! The description of the API in `docs/` is the one that the routes give. `UPDATE=1` writes it anew.

#[test]
fn the_description_of_the_api_is_kept() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&airiskguard_gateway::control::openapi()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/openapi.json is not what the routes say: run this test with UPDATE=1 and look at the difference"
    );
}
