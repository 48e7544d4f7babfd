//! Writes the table of the UI's built files (`ui/dist`) that `src/lib.rs` embeds; an empty one where nothing is built.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The page's own file, which the table leaves out: it is not an asset.
const PAGE: &str = "index.html";
/// What `npm run build` writes beside the page: the paths that it answers.
const PAGES: &str = "pages.txt";

fn main() -> io::Result<()> {
    // Asked when it runs: a target folder may have been another checkout's when this was compiled.
    let dist = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../dist");
    // The folder is in the repository, empty: what is missing would make cargo run this each time.
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("built.rs");
    let built = match (fs::read_to_string(dist.join(PAGE)), fs::read_to_string(dist.join(PAGES))) {
        (Ok(page), Ok(pages)) => {
            let mut files = Vec::new();
            collect(&dist, &dist, &mut files)?;
            files.sort();
            table(&dist, &page, &pages, &files)
        }
        _ => "None".to_owned(),
    };
    fs::write(out, built)
}

fn collect(dist: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(dist, &path, files)?;
        } else if let Some(name) = path.strip_prefix(dist).ok().and_then(Path::to_str) {
            files.push(name.replace('\\', "/"));
        }
    }
    Ok(())
}

/// A Rust expression: `Some(Built { … })`.
fn table(dist: &Path, page: &str, pages: &str, files: &[String]) -> String {
    let paths: Vec<&str> = pages.lines().filter(|line| !line.is_empty()).collect();
    let mut out = format!("Some(Built {{\npage: {page:?},\npaths: &{paths:?},\nfiles: &[\n");
    for name in files {
        let is_beside = name == PAGE || name == PAGES || name.starts_with('.') || name.ends_with(".map");
        if is_beside || [".br", ".gz"].iter().any(|coding| name.ends_with(coding)) {
            continue;
        }
        let embedded = |name: &str| format!("include_bytes!({:?})", dist.join(name));
        let coded = |coding: &str| {
            let name = format!("{name}{coding}");
            if files.contains(&name) { format!("Some({})", embedded(&name)) } else { "None".to_owned() }
        };
        out.push_str(&format!(
            "File {{ path: {:?}, plain: {}, brotli: {}, gzip: {} }},\n",
            format!("/{name}"),
            embedded(name),
            coded(".br"),
            coded(".gz")
        ));
    }
    out.push_str("],\n})\n");
    out
}
