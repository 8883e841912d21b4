//! Lists of permissions, as people write them.

use portcullis_api::problem::FieldError;
use portcullis_core::permission::Catalogue;

/// Reads a list in which each permission is of the catalogue and comes once; in the catalogue's order, so that two equal lists
/// are equal to the eye.
pub(crate) fn list(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    names: &[String],
    catalogue: &Catalogue,
) -> Vec<String> {
    for (place, name) in names.iter().enumerate() {
        let detail = if catalogue.permission(name).is_none() {
            format!("is not in the catalogue: it has {}", some_of(catalogue))
        } else if names.iter().take(place).any(|earlier| earlier == name) {
            "is named twice".to_owned()
        } else {
            continue;
        };
        errors.push(FieldError { pointer: format!("{pointer}/{place}"), detail });
    }
    catalogue.names(catalogue.set(names)).map(str::to_owned).collect()
}

fn some_of(catalogue: &Catalogue) -> String {
    const SHOWN: usize = 20;
    let names: Vec<&str> = catalogue.names(catalogue.all()).collect();
    let rest = names.len().saturating_sub(SHOWN);
    let shown = names.into_iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if rest == 0 { shown } else { format!("{shown} and {rest} more: see /api/v1/catalogue") }
}
