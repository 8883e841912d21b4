//! The walls of the architecture: which folder may name what, and how long a file or a function may be.
//!
//! The compiler holds the walls between crates. Within the server a folder is only a promise, so this module reads the
//! sources and holds it. A rule that finds nothing looks the same as a rule that is kept: therefore every rule is
//! also shown a planted breach.

use std::fs;
use std::path::{Path, PathBuf};

use scanner::{Function, code_only, functions, lines_with};

// The path is spelled out, for it must hold whether this file is a module or a test binary of its own.
#[path = "tidy/scanner.rs"]
mod scanner;

/// Words that must not stand in the code of some folders. Comments and strings may mention them.
struct Wall {
    /// Folders from the workspace root; the empty one is the whole workspace.
    inside: &'static [&'static str],
    except: &'static [&'static str],
    /// `crate::name` also stands for `super::name` and for `name` inside `crate::{…}`.
    words: &'static [&'static str],
    /// What to do instead, as the end of a sentence.
    instead: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        inside: &["crates/portcullis-core/src"],
        except: &[],
        words: &["tokio", "axum", "sqlx", "SystemTime", "Instant::now", "rand", "getrandom", "std::fs", "std::env"],
        instead: "the core is pure: take times, random bytes and contents as arguments",
    },
    Wall {
        inside: &["crates/portcullis-server/src/store"],
        except: &[],
        words: &["http", "http_body_util", "axum", "hyper", "askama", "portcullis_api"],
        instead: "the store knows neither HTTP nor HTML nor wire types: convert in the outer folder",
    },
    Wall {
        inside: &["crates/portcullis-server/src/verify"],
        except: &[],
        words: &["axum", "sqlx", "askama", "crate::manage"],
        instead: "deciding needs memory alone: answer with a value and let the surface or the control plane act on it",
    },
    Wall {
        inside: &["crates/portcullis-server/src/manage"],
        except: &[],
        words: &["axum", "sqlx", "askama", "crate::verify"],
        instead: "an edit is the same for every surface: call the store, and answer with a value",
    },
    Wall {
        inside: &["crates/portcullis-server/src/api"],
        except: &[],
        words: &["crate::store", "crate::dashboard", "crate::gateway"],
        instead: "call a function of manage or verify",
    },
    Wall {
        inside: &["crates/portcullis-server/src/dashboard"],
        except: &[],
        words: &["crate::store", "crate::api", "crate::gateway"],
        instead: "call a function of manage, the same one as the JSON twin",
    },
    Wall {
        inside: &["crates/portcullis-server/src/gateway"],
        except: &[],
        words: &["crate::store", "crate::api", "crate::dashboard"],
        instead: "call verify",
    },
    Wall {
        inside: &[
            "bench/src",
            "crates/portcullis/src",
            "crates/portcullis-api/src",
            "crates/portcullis-core/src",
            "crates/portcullis-server/src",
            "crates/portcullis-tower/src",
        ],
        // A benchmark fills a store with a million keys past the API, which would measure the disk instead.
        except: &["crates/portcullis-server/src/store", "bench/src/store", "bench/src/axum_postgres"],
        words: &["sqlx"],
        instead: "all SQL is in crates/portcullis-server/src/store: add a function there",
    },
    Wall {
        inside: &[
            "crates/portcullis-api/src",
            "crates/portcullis-core/src",
            "crates/portcullis-server/src",
            "crates/portcullis-tower/src",
        ],
        except: &[],
        words: &["println!", "eprintln!", "print!", "eprint!"],
        instead: "a library does not own the terminal: use tracing, or return the text",
    },
    Wall {
        inside: &[""],
        // A test reads the statements of this folder, to have each prepared.
        except: &["crates/portcullis-server/src/store/tests"],
        words: &["AssertSqlSafe"],
        instead: "a statement is a literal and its values are bound",
    },
    Wall {
        inside: &[""],
        // The words of a file that is mapped into memory are reached by an address.
        except: &["crates/portcullis-server/src/spool/words"],
        words: &["unsafe"],
        instead: "find the safe way",
    },
];

/// The walls are about these folders; without them the walls would hold by looking at nothing.
const FOLDERS_THAT_EXIST: &[&str] = &[
    "crates/portcullis-core/src",
    "crates/portcullis-server/src/store",
    "crates/portcullis-server/src/verify",
    "crates/portcullis-server/src/manage",
];

/// What the core must not depend on, except in its tests.
const CRATES_BANNED_FROM_CORE: &[&str] =
    &["axum", "getrandom", "hyper", "jiff", "portcullis-api", "portcullis-server", "rand", "reqwest", "sqlx", "tokio"];

/// Marks of unfinished work, spelled apart so that this file does not find itself.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

const FILE_LINES: usize = 400;
const LISTED_FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Files that are allowed up to `LISTED_FILE_LINES`, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

#[test]
fn walls_hold() {
    let sources = files(&["rs"]);
    for folder in FOLDERS_THAT_EXIST {
        assert!(
            sources.iter().any(|source| covers(folder, &source.path)),
            "{folder} is gone: mend the walls in tidy.rs"
        );
    }
    report(sources.iter().flat_map(|source| {
        let code = code_only(&source.text);
        WALLS.iter().flat_map(|wall| breaches(wall, &source.path, &code)).collect::<Vec<_>>()
    }));
}

#[test]
fn every_wall_finds_a_planted_breach() {
    for wall in WALLS {
        for (inside, word) in wall.inside.iter().flat_map(|inside| wall.words.iter().map(move |word| (inside, word))) {
            let code = code_only(&format!("// {word}\nlet a = \"{word}\";\nlet b = {word}::c();\nlet d = x{word}y;\n"));
            let path = format!("{inside}/planted.rs");
            let found = breaches(wall, &path, &code);
            assert_eq!(found.len(), 1, "{word} in {path}: {found:?}");
            assert!(found[0].starts_with(&format!("{path}:3: ")), "{found:?}");
            for except in wall.except {
                assert_eq!(breaches(wall, &format!("{except}/planted.rs"), &code), [""; 0]);
            }
            if !inside.is_empty() {
                assert_eq!(breaches(wall, "elsewhere/planted.rs", &code), [""; 0]);
            }
        }
    }
}

#[test]
fn core_depends_on_nothing_impure() {
    let file = Source::read("crates/portcullis-core/Cargo.toml");
    let found = impure_dependencies(&file.text);
    assert!(found.is_empty(), "{}: remove {found:?}: the core takes what they give as arguments", file.path);

    let planted = "[dependencies]\nclock = { package = \"tokio\" }\n[target.x.dependencies]\nrand = \"1\"\n[dev-dependencies]\nrand = \"1\"";
    assert_eq!(impure_dependencies(planted), ["tokio", "rand"]);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let manifests = files(&["toml"]).into_iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    report(manifests.filter(|file| !takes_workspace_lints(&file.text)).map(|file| {
        format!("{}:1: add `[lints]` with `workspace = true`: every crate is held to the same lints", file.path)
    }));

    assert!(takes_workspace_lints("[lints]\nworkspace = true"));
    assert!(!takes_workspace_lints("[package]\nname = \"planted\""));
}

#[test]
fn nothing_is_left_unfinished() {
    report(files(&["css", "html", "js", "py", "rs", "sh", "sql", "toml"]).iter().flat_map(unfinished));

    let planted = |mark: &str| Source { path: "planted.rs".into(), text: format!("let a = 1;\n// {mark}: b\n") };
    for mark in MARKS {
        assert_eq!(unfinished(&planted(mark)).len(), 1, "{mark}");
    }
    assert_eq!(unfinished(&planted("a todo list")), [""; 0]);
}

#[test]
fn files_fit_in_the_head() {
    let sources = files(&["rs"]);
    report(sources.iter().filter_map(|source| {
        let listed = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        too_long(&source.path, source.text.lines().count(), listed)
    }));

    for (lines, listed, fails) in
        [(400, false, false), (401, false, true), (401, true, false), (600, true, false), (601, true, true)]
    {
        assert_eq!(too_long("planted.rs", lines, listed).is_some(), fails, "{lines} lines, listed: {listed}");
    }
}

#[test]
fn functions_fit_the_screen() {
    let sources = files(&["rs"]);
    report(sources.iter().flat_map(|source| long_functions(&source.path, &source.text)));

    let planted = |steps| format!("fn before() {{}}\n\nfn planted() {{\n{}}}\n", "    step();\n".repeat(steps));
    assert_eq!(long_functions("planted.rs", &planted(FUNCTION_LINES - 2)), [""; 0]);
    let found = long_functions("planted.rs", &planted(FUNCTION_LINES - 1));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("planted.rs:3: `planted` has 71 lines"), "{found:?}");
}

/// Fails with all findings at once, so that one run shows all there is to mend.
fn report(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<_> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{} to mend:\n{}", findings.len(), findings.join("\n"));
}

/// A file of the workspace, its path from the root and with `/`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).expect("a source of the workspace can be read and is UTF-8");
        Self { path: path.to_owned(), text }
    }
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("the package is two folders below the root").to_owned()
}

/// All files of the workspace with one of these extensions, in order; what is built or vendored is not ours to tidy.
fn files(extensions: &[&str]) -> Vec<Source> {
    let (root, mut found, mut folders) = (root(), Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be listed") {
            let entry = entry.expect("a folder of the workspace can be listed");
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !(name.starts_with('.') || ["node_modules", "target", "vendor"].contains(&name.as_str())) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
                let inner = path.strip_prefix(&root).expect("the walk started at the root");
                found.push(inner.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found.iter().map(|path| Source::read(path)).collect()
}

/// Whether `path` is in `folder`, or is the file of the module that has the folder's name.
fn covers(folder: &str, path: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn breaches(wall: &Wall, path: &str, code: &str) -> Vec<String> {
    let within = |folders: &[&str]| folders.iter().any(|folder| covers(folder, path));
    if !within(wall.inside) || within(wall.except) {
        return Vec::new();
    }
    let found = wall.words.iter().flat_map(|word| lines_with(code, word).into_iter().map(move |line| (line, word)));
    found.map(|(line, word)| format!("{path}:{line}: `{word}` must not stand here; {}", wall.instead)).collect()
}

fn unfinished(source: &Source) -> Vec<String> {
    let found = MARKS.iter().flat_map(|mark| lines_with(&source.text, mark).into_iter().map(move |line| (line, mark)));
    found.map(|(line, mark)| format!("{}:{line}: `{mark}`: do it now, or open an issue", source.path)).collect()
}

fn impure_dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let of_targets = targets.filter_map(|target| target.get("dependencies"));
    let tables = manifest.get("dependencies").into_iter().chain(of_targets).filter_map(toml::Value::as_table);
    let names = tables.flatten().map(|(key, value)| value.get("package").and_then(toml::Value::as_str).unwrap_or(key));
    names.filter(|name| CRATES_BANNED_FROM_CORE.contains(name)).map(str::to_owned).collect()
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

fn too_long(path: &str, lines: usize, listed: bool) -> Option<String> {
    let most = if listed { LISTED_FILE_LINES } else { FILE_LINES };
    (lines > most).then(|| format!("{path}:{most}: {lines} lines, at most {most}; split it by nouns"))
}

fn long_functions(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let long = functions(&code).into_iter().filter(|function| function.lines > FUNCTION_LINES);
    long.map(|Function { name, line, lines }| {
        format!("{path}:{line}: `{name}` has {lines} lines, at most {FUNCTION_LINES}; give a part of it a name")
    })
    .collect()
}
