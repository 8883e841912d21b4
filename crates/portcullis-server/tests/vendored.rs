//! What others made and this repository carries: each file is listed with where it comes from, its licence and its SHA-256.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Folders of vendored files, each with a manifest.
const FOLDERS: [&str; 2] = ["src/reference/vendor", "src/dashboard/assets/vendor"];

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn every_vendored_file_is_the_one_that_was_published() {
    for folder in FOLDERS.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        let manifest: toml::Table = fs::read_to_string(folder.join("manifest.toml")).unwrap().parse().unwrap();
        let mut listed = vec!["manifest.toml".to_owned()];
        for file in manifest["file"].as_array().unwrap() {
            let text = |member: &str| file[member].as_str().filter(|text| !text.is_empty()).unwrap();
            let (name, version) = (text("name"), text("version"));
            assert!(
                version.split('.').all(|part| part.parse::<u32>().is_ok()),
                "{name}: {version} is no exact version"
            );
            assert!(!text("package").is_empty() && !text("path").is_empty() && !text("licence").is_empty());
            assert_eq!(sha256(&fs::read(folder.join(name)).unwrap()), text("sha256"), "{name} was changed");
            listed.push(name.to_owned());
        }
        let mut there: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        listed.sort();
        assert_eq!(there, listed, "a file of {} is not in its manifest", folder.display());
        assert!(there.iter().any(|name| name.contains("LICENSE")), "{} has no licence", folder.display());
    }
}
