//! Sees to it that a rebuilt page is embedded anew, and that a release is never made without one.

fn main() {
    println!("cargo:rerun-if-changed=../web/dist");
    println!("cargo:rerun-if-env-changed=REQUIRE_UI");
    let required = std::env::var("REQUIRE_UI").is_ok_and(|value| value == "1");
    let built = std::path::Path::new("../web/dist/index.html").exists();
    assert!(built || !required, "the page is not built: run `make web` first, or unset REQUIRE_UI");
}
