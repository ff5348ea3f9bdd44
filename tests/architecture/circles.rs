//! No two modules of a crate need each other, but for parent and child: what is needed by both has a place of its own.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that do need each other, each ring with its crate, and why it stands.
const KNOWN: &[(&str, &[&str], &str)] = &[
    ("card", &["settings", "there"], "which files are there decides which are kept"),
    (
        "dispatch",
        &["scheduler::owners", "scheduler::runs", "scheduler::steps", "scheduler::task"],
        "methods of one type in several files",
    ),
    (
        "enrolld",
        &["service::call_handler", "service::calls", "service::sessions"],
        "who calls is decided where calls are taken",
    ),
    ("nitrokey3-twin", &["firmware", "twin"], "the firmware and what drives it"),
    ("shell", &["perform", "watch"], "`watch` is a command and its own screen"),
    (
        "shell",
        &["perform::enroll", "perform::people"],
        "a list is begun as an enrollment and followed as one",
    ),
    ("sim", &["args", "enroll", "phone", "server"], "each command declares its own arguments"),
    (
        "sim",
        &[
            "explore::client",
            "explore::defect",
            "explore::driver",
            "explore::flows",
            "explore::run",
            "explore::story",
            "explore::world",
        ],
        "all of them act on the explorer's world",
    ),
    ("sim", &["explore::list", "explore::random"], "a random world may draw a list"),
];

/// Every Rust file of a crate with the path of its module; programs and tests left out.
fn modules(root: &Path, directory: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "bin" {
                modules(root, &path, found);
            }
        } else if name.ends_with(".rs") && !name.contains("test") {
            let below = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            let module = below.to_string_lossy().replace('/', "::");
            let module = module.strip_suffix("::mod").unwrap_or(&module);
            let module = if ["lib", "main"].contains(&module) { "" } else { module };
            found.insert(module.to_owned(), path);
        }
    }
}

/// The code of a file, without comments and its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Reads a path or a tree of them from its beginning, and puts what it names into `found`.
fn tree<'t>(mut text: &'t str, before: &[String], found: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = before.to_vec();
    loop {
        text = text.trim_start();
        if let Some(mut rest) = text.strip_prefix('{') {
            loop {
                rest = tree(rest, &path, found).trim_start();
                match rest.strip_prefix(',') {
                    Some(more) if !more.trim_start().starts_with('}') => rest = more,
                    Some(more) => return more.trim_start().strip_prefix('}').unwrap_or(more),
                    None => return rest.strip_prefix('}').unwrap_or(rest),
                }
            }
        }
        let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        text = text.get(word.len()..).unwrap_or_default();
        if !word.is_empty() {
            path.push(word);
        }
        match text.strip_prefix("::") {
            Some(rest) => text = rest,
            None => {
                found.push(path);
                let rest = text.trim_start();
                return rest.strip_prefix("as ").map_or(text, |named| {
                    named.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == ' ')
                });
            }
        }
    }
}

/// What a module names of its own crate, from the crate's root.
fn named(module: &str, text: &str) -> Vec<Vec<String>> {
    let own: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut found = Vec::new();
    for (start, above) in [("crate::", None), ("super::", Some(1)), ("self::", Some(0))] {
        for (at, _) in text.match_indices(start) {
            let before = text.get(..at).unwrap_or_default();
            if before.ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
                continue;
            }
            let base =
                above.map_or(&[][..], |above| own.get(..own.len().saturating_sub(above)).unwrap_or(&[]));
            tree(text.get(at + start.len()..).unwrap_or_default(), base, &mut found);
        }
    }
    found
}

/// Whether one is the other or lies below it.
fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

type Needs = BTreeMap<String, BTreeSet<String>>;

/// Which module of a crate needs which.
fn needs(source: &Path) -> Needs {
    let mut files = BTreeMap::new();
    modules(source, source, &mut files);
    let of = |module: &String, path: &PathBuf| {
        let text = code(&fs::read_to_string(path).unwrap_or_default());
        let mut needed = BTreeSet::new();
        for mut parts in named(module, &text) {
            while !parts.is_empty() && !files.contains_key(&parts.join("::")) {
                parts.pop();
            }
            let other = parts.join("::");
            if !other.is_empty() && !is_within(&other, module) && !is_within(module, &other) {
                needed.insert(other);
            }
        }
        needed
    };
    files
        .iter()
        .filter(|(module, _)| !module.is_empty())
        .map(|(module, path)| (module.clone(), of(module, path)))
        .collect()
}

/// What can be reached from a module.
fn reached(needs: &Needs, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from.to_owned()];
    while let Some(module) = waiting.pop() {
        for other in needs.get(&module).into_iter().flatten() {
            if seen.insert(other.clone()) {
                waiting.push(other.clone());
            }
        }
    }
    seen
}

/// The rings of modules that need each other.
fn rings(needs: &Needs) -> BTreeSet<Vec<String>> {
    let all: BTreeMap<&String, _> = needs.keys().map(|module| (module, reached(needs, module))).collect();
    let ring = |(module, from): (&&String, &BTreeSet<String>)| {
        let both = |other: &&String| {
            from.contains(*other) && all.get(*other).is_some_and(|back| back.contains(*module))
        };
        let ring: Vec<String> = needs.keys().filter(both).cloned().collect();
        (ring.len() > 1).then_some(ring)
    };
    all.iter().filter_map(ring).collect()
}

#[test]
fn no_two_modules_need_each_other_but_those_that_are_known() {
    let appliance = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../appliance");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(appliance).expect("the crates are there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        found.extend(rings(&needs(&entry.path().join("src"))).into_iter().map(|ring| (name.clone(), ring)));
    }
    let known: BTreeSet<(String, Vec<String>)> = KNOWN
        .iter()
        .map(|(name, ring, _)| ((*name).to_owned(), ring.iter().map(|module| (*module).to_owned()).collect()))
        .collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "these need each other; give what both need a place of its own: {new:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "these no longer need each other; take them out of KNOWN: {gone:#?}");
}

#[test]
fn a_ring_is_found_however_it_is_written() {
    let tree = tempfile::tempdir().expect("a directory can be made");
    let write = |name: &str, text: &str| {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory can be made");
        fs::write(path, text).expect("a file can be written");
    };
    write("lib.rs", "mod a;\nmod b;\nmod c;\n");
    write("a.rs", "use crate::{c, b::{self, x::Y as Z}};\n// use crate::c::d;\n");
    write("b.rs", "mod x;\nfn f() { super::c::g() }\n");
    write("b/x.rs", "pub struct Y;\n");
    write("c.rs", "fn g() { let _ = crate::a::h; }\n#[cfg(test)]\nmod tests { use crate::nothing; }\n");
    let rings = rings(&needs(tree.path()));
    assert_eq!(rings.into_iter().collect::<Vec<_>>(), [["a", "b", "c"]]);
}
