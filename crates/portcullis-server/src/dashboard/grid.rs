//! Permissions as a grid of resource and action: the same for keys and for roles.

use portcullis_core::permission::{Action, Catalogue, PermissionSet};

use super::words;

/// A row for each resource.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) resource: String,
    /// For read and for write; `None` where the catalogue has no such permission.
    pub(crate) cells: Vec<Option<Cell>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) ticked: bool,
    /// Whether whoever fills the form may give it.
    pub(crate) open: bool,
}

impl Grid {
    pub(crate) fn new(catalogue: &Catalogue, ticked: &[String], may: PermissionSet) -> Self {
        let cell = |resource: &str, action: Action| {
            let name = format!("{resource}:{}", action.name());
            let permission = catalogue.permission(&name)?;
            let label = format!("{} {}", words::capital(action.name()), words::plain(resource));
            Some(Cell { ticked: ticked.contains(&name), open: may.contains(permission), name, label })
        };
        let row = |resource: &str| Row {
            resource: words::capital(&words::plain(resource)),
            cells: [Action::Read, Action::Write].map(|action| cell(resource, action)).into(),
        };
        Self { rows: catalogue.resources().iter().map(|resource| row(&resource.name)).collect() }
    }

    /// Whether any box can be ticked.
    pub(crate) fn any_open(&self) -> bool {
        self.rows.iter().flat_map(|row| row.cells.iter().flatten()).any(|cell| cell.open)
    }
}
