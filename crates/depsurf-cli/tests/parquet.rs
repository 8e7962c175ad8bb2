//! `depsurf export parquet`, and the queries of docs/parquet.md on the starter dataset.

mod common;
#[cfg(feature = "parquet")]
#[path = "parquet/duckdb.rs"]
mod duckdb;

use common::Home;

#[cfg(not(feature = "parquet"))]
#[test]
fn a_program_without_the_feature_tells_how_to_get_it() {
    let home = Home::with_dataset();
    let told = home.run(&["export", "parquet", "tables"]).failed();
    assert!(told.contains("this program was built without `export parquet`"), "{told}");
    assert!(told.contains("help: ") && told.contains("--features parquet"), "{told}");
    assert!(!home.path().join("tables").exists());
}

#[cfg(feature = "parquet")]
#[test]
fn chosen_kernels_become_partitions() {
    use common::{A, B};

    let home = Home::with_dataset();
    assert_eq!(home.run(&["export", "parquet", "tables", "--kernel", "6.*"]).fine(), format!("{B}\n"));
    let partitions = |table: &str| {
        let entries = std::fs::read_dir(home.path().join("tables").join(table)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(partitions("functions"), [format!("kernel={B}")]);
    assert_eq!(home.run(&["export", "parquet", "tables"]).fine(), format!("{A}\n{B}\n"));
    assert_eq!(partitions("functions"), [format!("kernel={A}"), format!("kernel={B}")]);
    assert_eq!(partitions("configs").len(), 2, "a table without rows has its columns");
}
