//! The documentation says what the data says.

use crate::sent::folder;

#[test]
fn the_capability_table_is_rendered_from_the_data() {
    let path = folder("../../docs/backends.md");
    let page = providers::docs::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/backends.md is not what the data says; run: UPDATE_DOCS=1 cargo test -p providers");
}
