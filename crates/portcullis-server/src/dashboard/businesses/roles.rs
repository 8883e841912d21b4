//! Roles of a business, with the grid that keys have.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawPathParams, State};
use portcullis_api::businesses::{CreateRole, UpdateRole};
use portcullis_core::id::RoleId;
use portcullis_core::permission::PermissionSet;
use portcullis_core::role::Manages;
use portcullis_core::scope::Tenant;

use super::head::Head;
use crate::app::App;
use crate::caller::{AMember, BusinessesRead, BusinessesWrite, From, LooksAfterRoles, OfBusiness};
use crate::dashboard::form::{Fields, Problems, once};
use crate::dashboard::frame::{Frame, Page, Visitor, again, lead_to, page};
use crate::dashboard::grid::Grid;
use crate::dashboard::{path_id_of, words};
use crate::error::Error;
use crate::manage::businesses;
use crate::manage::roles::{self, Role};

#[derive(Template)]
#[template(path = "businesses/roles.html")]
struct List {
    frame: Frame,
    head: Head,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    built_in: bool,
    permissions: String,
    manages: String,
}

#[derive(Template)]
#[template(path = "businesses/role.html")]
struct Editor {
    frame: Frame,
    head: Head,
    /// `None` is a role that is being made.
    id: Option<String>,
    built_in: bool,
    heading: String,
    name: String,
    grid: Grid,
    parts: Vec<Part>,
    once: String,
    problems: Problems,
}

/// A part of a business that a role can look after.
struct Part {
    name: &'static str,
    label: &'static str,
    about: &'static str,
    ticked: bool,
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesRead, AMember>,
) -> Page {
    let business = businesses::show(&app, &of.tenant).await?;
    let row = |role: Role| Row {
        id: role.id.to_string(),
        built_in: role.built_in.is_some(),
        permissions: if role.permissions.is_empty() {
            "Nothing".to_owned()
        } else {
            words::capital(&words::permissions(&role.permissions))
        },
        manages: words::listed(
            &role.manages.iter().map(|part| words::plain(part.name()).replace("api", "API")).collect::<Vec<_>>(),
        ),
        name: role.name,
    };
    page(&List {
        frame: visitor.frame("businesses", format!("Roles of {}", business.name)),
        head: Head::new(&app, &visitor, &business, "roles").await?,
        rows: roles::list(&app, &of.tenant).await?.into_iter().map(row).collect(),
    })
}

pub(crate) async fn show_new(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
) -> Page {
    page(&editor(&app, &visitor, &of.tenant, None, &Filled::default(), Problems::default()).await?)
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
    From(origin): From,
    fields: Fields,
) -> Page {
    let filled = Filled::read(&fields);
    if fields.comes_back() {
        return page(&editor(&app, &visitor, &of.tenant, None, &filled, Problems::default()).await?);
    }
    let Filled { name, permissions, manages } = filled.clone();
    let wanted = CreateRole { name, permissions, manages };
    match roles::create(&app, &of.caller, &of.tenant, origin, fields.once(), &wanted).await {
        Ok(_) => lead_to(&format!("/businesses/{}/roles?done=role", of.tenant.business())),
        Err(error) => again(&editor(&app, &visitor, &of.tenant, None, &filled, Problems::of(error)?).await?),
    }
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesRead, AMember>,
    path: RawPathParams,
) -> Page {
    let role = roles::show(&app, &of.tenant, path_id_of(&path, "role_id")?).await?;
    let filled = Filled::of(&role);
    page(&editor(&app, &visitor, &of.tenant, Some(&role), &filled, Problems::default()).await?)
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
    From(origin): From,
    path: RawPathParams,
    fields: Fields,
) -> Page {
    let id: RoleId = path_id_of(&path, "role_id")?;
    let role = roles::show(&app, &of.tenant, id).await?;
    let filled = Filled::read(&fields);
    if fields.comes_back() {
        return page(&editor(&app, &visitor, &of.tenant, Some(&role), &filled, Problems::default()).await?);
    }
    let Filled { name, permissions, manages } = filled.clone();
    let wanted = UpdateRole { name: Some(name), permissions: Some(permissions), manages: Some(manages) };
    match roles::update(&app, &of.caller, &of.tenant, origin, id, &wanted).await {
        Ok(_) => lead_to(&format!("/businesses/{}/roles?done=role-saved", of.tenant.business())),
        Err(error) => again(&editor(&app, &visitor, &of.tenant, Some(&role), &filled, Problems::of(error)?).await?),
    }
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    of: OfBusiness<BusinessesWrite, LooksAfterRoles>,
    From(origin): From,
    path: RawPathParams,
) -> Page {
    let id: RoleId = path_id_of(&path, "role_id")?;
    let role = roles::show(&app, &of.tenant, id).await?;
    match roles::delete(&app, &of.caller, &of.tenant, origin, id).await {
        Ok(()) => lead_to(&format!("/businesses/{}/roles?done=role-deleted", of.tenant.business())),
        Err(error) => {
            let filled = Filled::of(&role);
            again(&editor(&app, &visitor, &of.tenant, Some(&role), &filled, Problems::of(error)?).await?)
        }
    }
}

/// The fields of the editor, as they were filled.
#[derive(Debug, Clone, Default)]
struct Filled {
    name: String,
    permissions: Vec<String>,
    manages: Vec<String>,
}

impl Filled {
    fn read(fields: &Fields) -> Self {
        Self {
            name: fields.text("name").to_owned(),
            permissions: fields.list("permissions"),
            manages: fields.list("manages"),
        }
    }

    fn of(role: &Role) -> Self {
        let manages = role.manages.iter().map(|part| part.name().to_owned()).collect();
        Self { name: role.name.clone(), permissions: role.permissions.clone(), manages }
    }
}

async fn editor(
    app: &App,
    visitor: &Visitor,
    tenant: &Tenant,
    role: Option<&Role>,
    filled: &Filled,
    problems: Problems,
) -> Result<Editor, Error> {
    let business = businesses::show(app, tenant).await?;
    let head = Head::new(app, visitor, &business, "roles").await?;
    let built_in = role.is_some_and(|role| role.built_in.is_some());
    // What a person may not give is refused with its name; an open box says no more than the catalogue.
    let may = if head.roles() && !built_in { app.catalogue.all() } else { PermissionSet::EMPTY };
    let part = |part: &Manages| Part {
        name: part.name(),
        label: label(*part),
        about: about(*part),
        ticked: filled.manages.iter().any(|name| name == part.name()),
    };
    let heading = role.map_or_else(|| "New role".to_owned(), |role| format!("Role “{}”", role.name));
    Ok(Editor {
        frame: visitor.frame("businesses", heading.clone()),
        head,
        id: role.map(|role| role.id.to_string()),
        built_in,
        heading,
        name: filled.name.clone(),
        grid: Grid::new(&app.catalogue, &filled.permissions, may),
        parts: Manages::ALL.iter().map(part).collect(),
        once: once(app),
        problems,
    })
}

const fn label(part: Manages) -> &'static str {
    match part {
        Manages::Members => "Members",
        Manages::Roles => "Roles",
        Manages::ApiKeys => "API keys",
        Manages::Audit => "Audit log",
    }
}

const fn about(part: Manages) -> &'static str {
    match part {
        Manages::Members => "invite, remove and give roles, as far as their own role goes",
        Manages::Roles => "make and change roles, as far as their own role goes",
        Manages::ApiKeys => "see every key that reaches the business",
        Manages::Audit => "read what was done in the business",
    }
}
