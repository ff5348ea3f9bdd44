//! The crates and their dependencies: the table "Who may know whom" of the design,
//! as a test. A failure names the crate, what it knows, and what it may know.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{CargoOpt, Dependency, DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Which of our crates each may build with. Every crate of the workspace has a row.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("architecture", &[]),
    ("card", &["settings", "update"]),
    ("control", &[]),
    ("dispatch", &["journal", "keys", "privacyidea", "seal", "station", "usb"]),
    (
        "enrolld",
        &[
            "card",
            "control",
            "dispatch",
            "journal",
            "keys",
            "panel",
            "paper",
            "privacyidea",
            "seal",
            "settings",
            "station",
            "table",
            "usb",
        ],
    ),
    ("journal", &["keys", "station"]),
    ("keys", &[]),
    ("panel", &[]),
    ("paper", &[]),
    ("privacyidea", &[]),
    ("seal", &[]),
    ("settings", &[]),
    ("shell", &["control"]),
    (
        "sim",
        &[
            "control",
            "dispatch",
            "enrolld",
            "journal",
            "keys",
            "panel",
            "privacyidea",
            "seal",
            "settings",
            "shell",
            "station",
            "twins",
            "usb",
        ],
    ),
    ("station", &["keys", "table"]),
    ("station-open", &["paper", "seal", "table"]),
    ("table", &[]),
    ("twins", &["keys"]),
    ("update", &[]),
    ("usb", &["keys"]),
];

/// Workspaces of their own below the root, and which of our crates each may build with. No
/// crate of the workspace knows one of them.
const APART: &[(&str, &[&str])] = &[
    // Nitrokey's firmware as a twin: minutes to build, and wants libclang.
    ("appliance/nitrokey3-twin", &["twins"]),
    (
        "fuzz",
        &[
            "card",
            "control",
            "enrolld",
            "journal",
            "keys",
            "privacyidea",
            "seal",
            "shell",
            "station",
            "table",
            "twins",
            "update",
            "usb",
        ],
    ),
];

/// These stand on their own, in their tests too.
const ALONE: &[&str] = &["keys", "privacyidea"];

/// These do no I/O, have no clock and are not async.
const PURE: &[&str] = &["keys", "paper", "station", "table"];

/// Crates that do what a pure one must not.
const IMPURE: &[&str] = &[
    "async-io",
    "async-std",
    "evdev",
    "getrandom",
    "gpiocdev",
    "hidapi",
    "hyper",
    "mio",
    "nix",
    "reqwest",
    "rppal",
    "rusb",
    "rusqlite",
    "russh",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "ureq",
];

fn workspace(options: CargoOpt) -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .features(options)
        .exec()
        .expect("cargo describes the workspace")
}

fn ours(metadata: &Metadata) -> BTreeMap<String, Package> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.to_string(), package.clone()))
        .collect()
}

fn may_know(name: &str) -> Option<&'static [&'static str]> {
    MAY_KNOW.iter().find(|(row, _)| *row == name).map(|(_, known)| *known)
}

/// Everything that `name` is built from, transitively, tests left out.
fn built_from(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let nodes: BTreeMap<&PackageId, _> = metadata
        .resolve
        .as_ref()
        .expect("cargo resolves the workspace")
        .nodes
        .iter()
        .map(|node| (&node.id, node))
        .collect();
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let first = metadata.workspace_packages().into_iter().find(|package| package.name == name);
    let mut waiting: Vec<&PackageId> = first.map(|package| &package.id).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        for dependency in &nodes[id].deps {
            let built = dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if built && seen.insert(names[&dependency.pkg].to_owned()) {
                waiting.push(&dependency.pkg);
            }
        }
    }
    seen
}

#[test]
fn every_crate_has_its_row() {
    for name in ours(&workspace(CargoOpt::AllFeatures)).keys() {
        assert!(may_know(name).is_some(), "{name} is in no row of MAY_KNOW: say which crates it may know");
    }
}

#[test]
fn crates_know_only_whom_they_may() {
    let ours = ours(&workspace(CargoOpt::AllFeatures));
    let mut wrong = Vec::new();
    for (name, package) in &ours {
        let allowed = may_know(name).unwrap_or_default();
        for dependency in &package.dependencies {
            let known = dependency.name.as_str();
            if !ours.contains_key(known) || known == name {
                continue;
            }
            let fine = match dependency.kind {
                // A test may bring both sides together, but who stands alone is tested alone.
                DependencyKind::Development => !ALONE.contains(&name.as_str()),
                _ => allowed.contains(&known),
            };
            if !fine {
                wrong.push(format!("{name} knows {known} ({}), and may know {allowed:?}", dependency.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The Rust files below `directory`.
fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_crate_exports_another_one_whole() {
    let ours = ours(&workspace(CargoOpt::AllFeatures));
    let mut wrong = Vec::new();
    for package in ours.values() {
        let mut files = Vec::new();
        rust_files(package.manifest_path.with_file_name("src").as_std_path(), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file can be read");
            let exports = text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
            // A list names what it exports.
            for exported in exports.filter(|exported| !exported.contains("::{")) {
                let name = exported.trim().split(" as ").next().unwrap_or_default();
                let name = name.trim_end_matches("::*");
                let own = text.contains(&format!("mod {name}"));
                if ours.contains_key(name) && !own && name != package.name.as_str() {
                    wrong.push(format!("{} exports {name}: who wants it names it", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folders below `directory` that are the root of a workspace.
fn workspaces(directory: &Path, found: &mut Vec<PathBuf>) {
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    if manifest.lines().any(|line| line == "[workspace]") {
        found.push(directory.to_owned());
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let skipped = name.to_string_lossy().starts_with('.') || name == "target";
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !skipped {
            workspaces(&entry.path(), found);
        }
    }
}

#[test]
fn workspaces_of_their_own_know_only_whom_they_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository");
    let mut found = Vec::new();
    workspaces(&root, &mut found);
    let mut found: Vec<String> = found
        .iter()
        .filter(|path| **path != root)
        .map(|path| path.strip_prefix(&root).unwrap_or(path).display().to_string())
        .collect();
    found.sort();
    assert_eq!(found, APART.iter().map(|(path, _)| *path).collect::<Vec<_>>(), "each has a row in APART");
    let workspace = ours(&workspace(CargoOpt::AllFeatures));
    for (path, allowed) in APART {
        let manifest = root.join(path).join("Cargo.toml");
        let metadata =
            MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("it is described");
        for package in metadata.packages {
            let known = package.dependencies.iter().filter(|known| known.kind != DependencyKind::Development);
            for known in known.filter(|known| workspace.contains_key(known.name.as_str())) {
                assert!(allowed.contains(&known.name.as_str()), "{path} knows {}", known.name);
            }
            let name = package.name.as_str();
            let knows = |other: &Package| other.dependencies.iter().any(|known| known.name == name);
            assert!(
                !workspace.values().any(knows),
                "{name} stands apart, and a crate of the workspace knows it"
            );
        }
    }
}

/// What a crate is built from when it is built by itself, with every feature of its own: what other
/// crates of the workspace switch on in its dependencies is not its doing.
fn built_alone(name: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--quiet", "--edges", "no-dev", "--prefix", "none", "--all-features"])
        .args([
            "--package",
            name,
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"),
        ])
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The packages whose programs are on the card and in the Debian package, and what none of them is built from.
const SHIPPED: &[(&str, &[&str])] = &[
    ("card", &["twins", "sim", "rustls", "tokio"]),
    ("enrolld", &["twins", "sim", "shell", "russh"]),
    (
        "shell",
        &[
            "twins",
            "sim",
            "enrolld",
            "dispatch",
            "station",
            "journal",
            "keys",
            "panel",
            "privacyidea",
            "usb",
            "rusqlite",
            "reqwest",
            "rustls",
            "hidapi",
            "rusb",
        ],
    ),
];

#[test]
fn what_is_shipped_contains_no_twin_and_no_part_of_the_other_program() {
    let metadata = workspace(CargoOpt::AllFeatures);
    for (name, strangers) in SHIPPED {
        let (built, alone) = (built_from(&metadata, name), built_alone(name));
        assert!(alone.len() > 1, "{name} has dependencies, and none were found");
        for stranger in *strangers {
            let found = built.contains(*stranger) || alone.contains(*stranger);
            assert!(!found, "{name} is built from {stranger}");
        }
    }
}

#[test]
fn the_pure_crates_are_built_from_pure_crates() {
    let metadata = workspace(CargoOpt::AllFeatures);
    for name in PURE.iter().filter(|name| ours(&metadata).contains_key(**name)) {
        let built = built_alone(name);
        assert!(!built.is_empty(), "{name} has dependencies, and none were found");
        let impure: Vec<&str> = IMPURE.iter().copied().filter(|other| built.contains(*other)).collect();
        assert!(impure.is_empty(), "{name} is built from {impure:?}, and must do no I/O");
    }
}

const BEGIN: &str = "<!-- crates: drawn by tests/architecture/crates.rs -->\n";
const END: &str = "<!-- end of crates -->\n";

/// What each crate is built with, tests left out, and dotted what stands apart.
fn picture() -> String {
    let ours = ours(&workspace(CargoOpt::AllFeatures));
    let mut text = String::from("```mermaid\nflowchart LR\n");
    let mut draw = |package: &Package, arrow: &str| {
        let name = &package.name;
        let knows =
            |known: &&Dependency| known.kind != DependencyKind::Development && ours.contains_key(&known.name);
        let known: BTreeSet<&str> =
            package.dependencies.iter().filter(knows).map(|known| known.name.as_str()).collect();
        if known.is_empty() {
            text += &format!("    {name}\n");
        }
        for other in known {
            text += &format!("    {name} {arrow} {other}\n");
        }
    };
    for package in ours.values().filter(|package| package.name != "architecture") {
        draw(package, "-->");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, _) in APART.iter().filter(|(path, _)| path.starts_with("appliance/")) {
        let manifest = root.join(path).join("Cargo.toml");
        let apart = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("it is described");
        apart.packages.iter().for_each(|package| draw(package, "-.->"));
    }
    text + "```\n"
}

/// `UPDATE_DOCS=1 cargo test -p architecture --test crates` draws it anew.
#[test]
fn the_picture_of_the_crates_is_what_cargo_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the picture");
    let (_, after) = rest.split_once(END).expect("the place for the picture ends");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", picture());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).expect("the page can be written");
    } else {
        assert!(
            page == wanted,
            "docs/architecture.md is stale: UPDATE_DOCS=1 cargo test -p architecture --test crates"
        );
    }
}

#[test]
fn every_crate_says_what_it_is_and_keeps_the_lints() {
    for (name, package) in ours(&workspace(CargoOpt::NoDefaultFeatures)) {
        assert!(package.description.is_some(), "{name} has no description");
        assert_eq!(package.license.as_deref(), Some("Apache-2.0 OR MIT"), "{name}");
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("the manifest can be read");
        let lints = manifest.lines().skip_while(|line| *line != "[lints]").nth(1);
        assert_eq!(lints, Some("workspace = true"), "{name} needs [lints] workspace = true");
    }
}

#[test]
fn the_lock_file_is_up_to_date() {
    let status = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--no-deps", "--quiet"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")])
        .output()
        .expect("cargo runs");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}
